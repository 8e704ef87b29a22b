/* SPDX-License-Identifier: Apache-2.0 */
/* For grpc_test.c: a small gRPC server on the same loop; what it does is chosen by the method's name. */
#ifndef SVCD_GRPC_TEST_SERVER_H
#define SVCD_GRPC_TEST_SERVER_H

#include "svcd/grpc.h"

#include <errno.h>
#include <nghttp2/nghttp2.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cmocka.h>

#include "lib/buf.h"

#define TOO_LARGE (GRPC_MESSAGE_MAX + 4096)

struct stream {
    char method[32]; /* "/Echo" */
    struct buf request;
    struct buf reply; /* framed */
    size_t sent;
    int status;
    const char *message;
    struct stream *next;
};

static struct loop loop;
static char dir[] = "/tmp/grpc_test.XXXXXX", path[64];
static int listener = -1, peer = -1;
static struct loop_source on_listen, on_peer, guard;
static nghttp2_session *server;
static struct buf server_out;
static struct stream *streams;
static unsigned max_streams;
static char namespace_seen[64];
static unsigned cancelled; /* streams that the client does not want any more */

/* Never blocks: the client, which is in the same thread, could not read then. */
static void server_pump(void) {
    const uint8_t *data;
    ssize_t n;

    while ((n = nghttp2_session_mem_send(server, &data)) > 0)
        assert_int_equal(buf_append(&server_out, data, (size_t)n), 0);
    while (server_out.len > 0 && (n = send(peer, server_out.data, server_out.len, MSG_NOSIGNAL | MSG_DONTWAIT)) > 0)
        buf_consume(&server_out, (size_t)n);
    assert_int_equal(loop_modify_fd(&loop, &on_peer, server_out.len ? EPOLLIN | EPOLLOUT : EPOLLIN), 0);
}

static void server_hang_up(void) {
    loop_remove(&loop, &on_peer);
    if (peer >= 0)
        (void)close(peer);
    peer = -1;
}

static nghttp2_nv header(const char *name, const char *value) {
    return (nghttp2_nv){(uint8_t *)(uintptr_t)name, (uint8_t *)(uintptr_t)value, strlen(name), strlen(value), 0};
}

static ssize_t send_reply(nghttp2_session *session, int32_t id, uint8_t *out, size_t len, uint32_t *flags,
                          nghttp2_data_source *source, void *user) {
    struct stream *s = source->ptr;
    size_t n = s->reply.len - s->sent < len ? s->reply.len - s->sent : len;
    char status[8];

    (void)user;
    if (n)
        memcpy(out, s->reply.data + s->sent, n);
    s->sent += n;
    if (s->sent < s->reply.len)
        return (ssize_t)n;
    *flags |= NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
    (void)snprintf(status, sizeof(status), "%d", s->status);
    const nghttp2_nv trailers[] = {header("grpc-status", status), header("grpc-message", s->message)};
    assert_int_equal(nghttp2_submit_trailer(session, id, trailers, *s->message ? 2 : 1), 0);
    return (ssize_t)n;
}

static void reply(int32_t id, struct stream *s, const void *message, size_t len) {
    const nghttp2_nv headers[] = {header(":status", "200"), header("content-type", "application/grpc")};
    const nghttp2_data_provider body = {.source.ptr = s, .read_callback = send_reply};
    const uint8_t prefix[] = {0, (uint8_t)(len >> 24), (uint8_t)(len >> 16), (uint8_t)(len >> 8), (uint8_t)len};

    if (s->status == 0) {
        assert_int_equal(buf_append(&s->reply, prefix, sizeof(prefix)), 0);
        assert_int_equal(buf_append(&s->reply, message, len), 0);
    }
    assert_int_equal(nghttp2_submit_response(server, id, headers, 2, &body), 0);
}

static void reply_without_message(int32_t id, const char *status, const char *message) {
    const nghttp2_nv headers[] = {header(":status", "200"), header("grpc-status", status),
                                  header("grpc-message", message)};
    assert_int_equal(nghttp2_submit_response(server, id, headers, message ? 3 : 2, NULL), 0);
}

static void serve(int32_t id, struct stream *s) {
    static const char garbage[] = "HTTP/1.1 400 Bad Request\r\nThis is not HTTP/2 at all, and never will be.\r\n\r\n";

    if (!strcmp(s->method, "/Echo")) {
        reply(id, s, s->request.data + 5, s->request.len - 5);
    } else if (!strcmp(s->method, "/Three")) { /* a stream of three messages */
        reply(id, s, "one", 3);
        assert_int_equal(buf_append(&s->reply, "\0\0\0\0\3two\0\0\0\0\0", 13), 0);
    } else if (!strcmp(s->method, "/OneAndAHalf")) {
        reply(id, s, "one", 3);
        assert_int_equal(buf_append(&s->reply, "\0\0\0\0\3tw", 7), 0);
    } else if (!strcmp(s->method, "/Compressed")) {
        reply(id, s, "one", 3);
        s->reply.data[0] = 1;
    } else if (!strcmp(s->method, "/Fails")) {
        s->status = 13;
        s->message = "no space: 100%25 of %2Fvar%zz";
        reply(id, s, NULL, 0);
    } else if (!strcmp(s->method, "/NotFound")) {
        reply_without_message(id, "5", "");
    } else if (!strcmp(s->method, "/Nonsense")) {
        reply_without_message(id, "many", "");
    } else if (!strcmp(s->method, "/CutOff")) {
        reply(id, s, "0123456789", 10);
        s->reply.len -= 3;
    } else if (!strcmp(s->method, "/Large")) {
        char *large = calloc(1, TOO_LARGE);
        assert_non_null(large);
        reply(id, s, large, TOO_LARGE);
        free(large);
    } else if (!strcmp(s->method, "/HangUp")) {
        server_hang_up();
    } else if (!strcmp(s->method, "/Garbage")) {
        assert_int_equal(send(peer, garbage, sizeof(garbage), MSG_NOSIGNAL), sizeof(garbage));
    } /* and others are never answered */
}

static int server_on_headers(nghttp2_session *session, const nghttp2_frame *frame, void *user) {
    struct stream *s = calloc(1, sizeof(*s));

    (void)user;
    assert_non_null(s);
    s->message = "";
    s->next = streams;
    streams = s;
    return nghttp2_session_set_stream_user_data(session, frame->hd.stream_id, s);
}

static int server_on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_len,
                            const uint8_t *value, size_t value_len, uint8_t flags, void *user) {
    struct stream *s = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);

    (void)flags;
    (void)user;
    if (name_len == 5 && !memcmp(name, ":path", 5))
        (void)snprintf(s->method, sizeof(s->method), "%.*s", (int)value_len, (const char *)value);
    if (name_len == 20 && !memcmp(name, "containerd-namespace", 20))
        (void)snprintf(namespace_seen, sizeof(namespace_seen), "%.*s", (int)value_len, (const char *)value);
    return 0;
}

static int server_on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data, size_t len,
                          void *user) {
    struct stream *s = nghttp2_session_get_stream_user_data(session, id);

    (void)flags;
    (void)user;
    return buf_append(&s->request, data, len);
}

static int server_on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user) {
    (void)user;
    cancelled += frame->hd.type == NGHTTP2_RST_STREAM;
    if (frame->hd.type == NGHTTP2_DATA && frame->hd.flags & NGHTTP2_FLAG_END_STREAM)
        serve(frame->hd.stream_id, nghttp2_session_get_stream_user_data(session, frame->hd.stream_id));
    return 0;
}

static void peer_readable(struct loop_source *s, uint32_t events, void *data) {
    uint8_t bytes[16384];
    ssize_t n = recv(s->fd, bytes, sizeof(bytes), MSG_DONTWAIT);

    (void)events;
    (void)data;
    if (n == 0 || (n < 0 && errno != EAGAIN)) {
        server_hang_up();
        return;
    }
    if (n > 0 && nghttp2_session_mem_recv(server, bytes, (size_t)n) < 0)
        server_hang_up();
    if (peer >= 0)
        server_pump();
}

static void accept_peer(struct loop_source *s, uint32_t events, void *data) {
    const nghttp2_settings_entry settings[] = {{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, max_streams}};
    nghttp2_session_callbacks *callbacks;

    (void)events;
    (void)data;
    peer = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC);
    assert_true(peer >= 0);
    assert_int_equal(nghttp2_session_callbacks_new(&callbacks), 0);
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, server_on_headers);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, server_on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, server_on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, server_on_frame);
    assert_int_equal(nghttp2_session_server_new(&server, callbacks, NULL), 0);
    nghttp2_session_callbacks_del(callbacks);
    assert_int_equal(nghttp2_submit_settings(server, 0, settings, max_streams ? 1 : 0), 0);
    assert_int_equal(loop_add_fd(&loop, &on_peer, peer, EPOLLIN, peer_readable, NULL), 0);
    server_pump();
}

static void server_start(void) {
    struct sockaddr_un addr = {.sun_family = AF_UNIX};

    (void)snprintf(path, sizeof(path), "%s/sock", dir);
    (void)snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
    listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&addr, sizeof(addr)), 0);
    assert_int_equal(listen(listener, 4), 0);
    assert_int_equal(loop_add_fd(&loop, &on_listen, listener, EPOLLIN, accept_peer, NULL), 0);
}

static void server_stop(void) {
    server_hang_up();
    loop_remove(&loop, &on_listen);
    if (listener >= 0)
        (void)close(listener);
    listener = -1;
    nghttp2_session_del(server);
    server = NULL;
    buf_free(&server_out);
    (void)unlink(path);
    while (streams) {
        struct stream *s = streams;
        streams = s->next;
        buf_free(&s->request);
        buf_free(&s->reply);
        free(s);
    }
}

#endif
