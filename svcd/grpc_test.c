/* SPDX-License-Identifier: Apache-2.0 */
/* The client against a small gRPC server on the same loop; what the server does is chosen by the method's name. */
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

#define GIVE_UP_MS 20000
#define TOO_LARGE (GRPC_MESSAGE_MAX + 4096)

/* --- the server --- */

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

/* --- the client --- */

struct answer {
    int times, status;
    char error[GRPC_ERROR_MAX];
    char message[64];
    size_t len;
};

static struct grpc *client;
static int lost, waiting; /* answers that are still to come */

static void gave_up(struct loop_source *s, void *data) {
    (void)s;
    (void)data;
    fail_msg("nothing came within %d ms", GIVE_UP_MS);
}

static void on_lost(void *data) {
    (void)data;
    lost++;
    loop_stop(&loop);
}

static void on_done(void *data, const struct grpc_result *r) {
    struct answer *a = data;

    a->times++;
    a->status = r->status;
    a->len = r->len;
    (void)snprintf(a->error, sizeof(a->error), "%s", r->error);
    if (r->status == GRPC_OK)
        (void)snprintf(a->message, sizeof(a->message), "%.*s", (int)r->len, (const char *)r->message);
    if (--waiting == 0)
        loop_stop(&loop);
}

static void ask(const char *method, const char *text, unsigned timeout_ms, struct answer *a) {
    waiting++;
    assert_int_equal(grpc_call(client, method, (const uint8_t *)text, strlen(text), timeout_ms, on_done, a), 0);
    assert_int_equal(a->times, 0); /* not before grpc_call() has returned */
}

static void run(void) {
    assert_int_equal(loop_run(&loop), 0);
}

static int setup(void **state) {
    (void)state;
    lost = waiting = 0;
    max_streams = 0;
    assert_int_equal(loop_init(&loop), 0);
    server_start();
    assert_int_equal(loop_set_timer(&loop, &guard, GIVE_UP_MS, gave_up, NULL), 0);
    return grpc_connect(&client, &loop, path, "some.namespace", on_lost, NULL);
}

static int teardown(void **state) {
    (void)state;
    grpc_close(client);
    client = NULL;
    server_stop();
    loop_remove(&loop, &guard);
    loop_fini(&loop);
    return 0;
}

/* --- what is asked of it --- */

static void an_answer_comes_with_its_message(void **state) {
    struct answer a = {0}, empty = {0};
    (void)state;
    ask("/Echo", "hello", 5000, &a);
    ask("/Echo", "", 5000, &empty);
    run();
    assert_int_equal(a.times, 1);
    assert_int_equal(a.status, GRPC_OK);
    assert_string_equal(a.error, "");
    assert_string_equal(a.message, "hello");
    assert_int_equal(empty.status, GRPC_OK);
    assert_int_equal(empty.len, 0);
    assert_string_equal(namespace_seen, "some.namespace");
}

static void an_error_is_told_in_the_servers_words(void **state) {
    struct answer a = {0}, not_found = {0};
    (void)state;
    ask("/Fails", "", 5000, &a);
    ask("/NotFound", "", 5000, &not_found);
    run();
    assert_int_equal(a.status, 13);
    assert_string_equal(a.error, "no space: 100% of /var%zz");
    assert_int_equal(not_found.status, GRPC_NOT_FOUND);
    assert_string_equal(not_found.error, "gRPC status 5");
}

static void what_is_no_answer_is_an_error(void **state) {
    struct answer nonsense = {0}, cut = {0};
    (void)state;
    ask("/Nonsense", "", 5000, &nonsense);
    ask("/CutOff", "", 5000, &cut);
    run();
    assert_int_equal(nonsense.status, -EPROTO);
    assert_int_equal(cut.status, -EBADMSG);
    assert_int_equal(lost, 0);
}

static void no_answer_in_time_is_a_timeout_of_that_call_only(void **state) {
    struct answer late = {0}, other = {0};
    (void)state;
    ask("/Never", "", 30, &late);
    run();
    assert_int_equal(late.status, -ETIMEDOUT);
    assert_int_equal(late.times, 1);
    ask("/Echo", "still there", 5000, &other);
    run();
    assert_string_equal(other.message, "still there");
    assert_int_equal(lost, 0);
}

/* HTTP/2 keeps a request back while the server allows no more streams; its deadline counts all the same. */
static void a_call_that_waits_for_its_turn_times_out_too(void **state) {
    struct answer first = {0}, held = {0}, settled = {0};
    (void)state;
    max_streams = 1;
    ask("/Echo", "", 5000, &settled); /* the server's settings have come */
    run();
    ask("/Never", "", 0, &first);
    ask("/Never", "", 30, &held);
    waiting = 1;
    run();
    assert_int_equal(held.status, -ETIMEDOUT);
    assert_int_equal(first.times, 0);
}

static void a_hung_up_connection_answers_every_call_and_is_told_once(void **state) {
    struct answer never[3] = {{0}}, last = {0};
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(never); i++)
        ask("/Never", "", 0, &never[i]);
    ask("/HangUp", "", 5000, &last);
    waiting = 100; /* let the loss end the loop */
    run();
    assert_int_equal(lost, 1);
    for (size_t i = 0; i < ARRAY_SIZE(never); i++) {
        assert_int_equal(never[i].times, 1);
        assert_int_equal(never[i].status, -ECONNRESET);
        assert_true(*never[i].error);
    }
    assert_int_equal(last.times, 1);
    assert_int_equal(last.status, -ECONNRESET);
    assert_int_equal(grpc_call(client, "/Echo", NULL, 0, 0, on_done, &last), -ECONNRESET);
}

static void a_loss_is_told_without_a_descriptor_to_spare(void **state) {
    struct answer first = {0}, last = {0};
    struct rlimit old, tight;
    (void)state;
    ask("/Echo", "", 0, &first);
    run();
    ask("/HangUp", "", 0, &last);
    waiting = 100;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    tight = (struct rlimit){(rlim_t)peer, old.rlim_max}; /* the server's end is closed, and is not to be used again */
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
    run();
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    assert_int_equal(lost, 1);
    assert_int_equal(last.status, -ECONNRESET);
}

/* The server keeps its side open: the client must see by itself that there is nothing to be had. */
static void garbage_ends_the_connection(void **state) {
    struct answer never = {0}, a = {0};
    (void)state;
    ask("/Never", "", 0, &never);
    ask("/Garbage", "", 0, &a);
    waiting = 100;
    run();
    assert_int_equal(lost, 1);
    assert_int_equal(a.status, -ECONNRESET);
    assert_int_equal(never.status, -ECONNRESET);
}

static void a_message_over_the_bound_ends_the_connection(void **state) {
    struct answer a = {0};
    (void)state;
    ask("/Large", "", 0, &a);
    waiting = 100;
    run();
    assert_int_equal(a.status, -ECONNRESET);
    assert_int_equal(lost, 1);
    assert_int_equal(grpc_call(client, "/Echo", NULL, GRPC_MESSAGE_MAX + 1, 0, on_done, &a), -ECONNRESET);
}

static void a_request_over_the_bound_is_not_sent(void **state) {
    struct answer a = {0};
    uint8_t *large = calloc(1, GRPC_MESSAGE_MAX + 1);
    (void)state;
    assert_non_null(large);
    assert_int_equal(grpc_call(client, "/Echo", large, GRPC_MESSAGE_MAX + 1, 0, on_done, &a), -E2BIG);
    free(large);
    assert_int_equal(a.times, 0);
}

static void many_calls_at_once(void **state) {
    enum { CALLS = 300 }; /* more than what HTTP/2 allows before the server's settings are known */
    static struct answer a[CALLS];
    char text[32];
    (void)state;
    memset(a, 0, sizeof(a));
    for (int i = 0; i < CALLS; i++) {
        (void)snprintf(text, sizeof(text), "call %d", i);
        ask("/Echo", text, 10000, &a[i]);
    }
    run();
    for (int i = 0; i < CALLS; i++) {
        (void)snprintf(text, sizeof(text), "call %d", i);
        assert_int_equal(a[i].times, 1);
        assert_string_equal(a[i].message, text);
    }
}

static void ask_again(void *data, const struct grpc_result *r) {
    (void)r;
    ask("/Echo", "second", 5000, data);
    waiting--;
}

static void a_call_may_be_made_in_an_answer(void **state) {
    struct answer after_ok = {0}, after_timeout = {0};
    (void)state;
    waiting = 2;
    assert_int_equal(grpc_call(client, "/Echo", NULL, 0, 5000, ask_again, &after_ok), 0);
    assert_int_equal(grpc_call(client, "/Never", NULL, 0, 20, ask_again, &after_timeout), 0);
    run();
    assert_string_equal(after_ok.message, "second");
    assert_string_equal(after_timeout.message, "second");
}

static void close_answers_what_is_under_way(void **state) {
    struct answer a = {0};
    (void)state;
    ask("/Never", "", 5000, &a);
    grpc_close(client);
    client = NULL;
    assert_int_equal(a.times, 1);
    assert_int_equal(a.status, -ECONNRESET);
    assert_int_equal(lost, 0);
}

static void nobody_listens(void **state) {
    struct grpc *g = NULL;
    (void)state;
    assert_int_equal(grpc_connect(&g, &loop, "/tmp/grpc_test.none/sock", "ns", on_lost, NULL), -ENOENT);
    assert_null(g);
}

static int make_dir(void **state) {
    (void)state;
    return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state) {
    (void)state;
    return rmdir(dir);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        T(an_answer_comes_with_its_message),
        T(an_error_is_told_in_the_servers_words),
        T(what_is_no_answer_is_an_error),
        T(no_answer_in_time_is_a_timeout_of_that_call_only),
        T(a_call_that_waits_for_its_turn_times_out_too),
        T(a_hung_up_connection_answers_every_call_and_is_told_once),
        T(a_loss_is_told_without_a_descriptor_to_spare),
        T(garbage_ends_the_connection),
        T(a_message_over_the_bound_ends_the_connection),
        T(a_request_over_the_bound_is_not_sent),
        T(many_calls_at_once),
        T(a_call_may_be_made_in_an_answer),
        T(close_answers_what_is_under_way),
        T(nobody_listens),
    };
    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
