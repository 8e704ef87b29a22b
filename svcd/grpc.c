/* SPDX-License-Identifier: Apache-2.0 */
#include "svcd/grpc.h"

#include <arpa/inet.h>
#include <errno.h>
#include <nghttp2/nghttp2.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "lib/buf.h"
#include "lib/fdutil.h"

#define PREFIX_LEN 5 /* gRPC: a byte of flags, four of length */
#define READ_SIZE 16384
#define NEVER_MS (UINT64_C(1) << 40)

struct grpc_call {
    struct grpc *g;
    struct grpc_call *next;
    int32_t stream;
    struct buf out;
    size_t sent;
    struct buf in;
    int status; /* -1: no grpc-status yet */
    int http_status;
    char error[GRPC_ERROR_MAX];
    struct loop_source deadline;
    grpc_message_fn *on_message; /* of a stream; NULL: a unary call */
    grpc_done_fn *done;
    void *data;
};

struct grpc {
    struct loop *loop;
    struct loop_source source, lost_soon;
    int fd;
    nghttp2_session *session;
    char ns[GRPC_NS_MAX];
    char next_ns[GRPC_NS_MAX]; /* of the next call; "": as all */
    struct buf out;
    struct grpc_call *calls;
    grpc_lost_fn *lost;
    void *data;
    bool broken;
    bool busy; /* inside nghttp2, which must not be entered twice; whoever set it will send */
};

static void call_free(struct grpc_call *c) {
    loop_remove(c->g->loop, &c->deadline);
    buf_free(&c->out);
    buf_free(&c->in);
    free(c);
}

static void unlink_call(struct grpc *g, const struct grpc_call *c) {
    for (struct grpc_call **p = &g->calls; *p; p = &(*p)->next)
        if (*p == c) {
            *p = c->next;
            return;
        }
}

static uint32_t frame_length(const struct buf *in) {
    uint32_t len;

    memcpy(&len, in->data + 1, sizeof(len));
    return ntohl(len);
}

/* Hands on the whole messages of a stream; what is cut off stays. -EBADMSG: compressed, or over the bound. */
static int deliver(struct grpc_call *c) {
    while (c->in.len >= PREFIX_LEN) {
        size_t len = frame_length(&c->in);
        if (c->in.data[0] != 0 || len > GRPC_MESSAGE_MAX)
            return -EBADMSG;
        if (c->in.len - PREFIX_LEN < len)
            break;
        c->on_message(c->data, (const uint8_t *)c->in.data + PREFIX_LEN, len);
        buf_consume(&c->in, PREFIX_LEN + len);
    }
    return 0;
}

/* Takes the message out of its frame; an unary reply is exactly one. */
static void finish(struct grpc_call *c, int status) {
    struct grpc_result result = {.status = status, .error = c->error};

    if (status == GRPC_OK && c->on_message) {
        result.status = c->in.len > 0 ? -EBADMSG : GRPC_OK; /* the last one is cut off */
    } else if (status == GRPC_OK && c->in.len < PREFIX_LEN) {
        result.status = -EBADMSG;
    } else if (status == GRPC_OK) {
        if (c->in.data[0] != 0 || frame_length(&c->in) != c->in.len - PREFIX_LEN)
            result.status = -EBADMSG; /* compressed, cut off, or more than one */
        result.message = (const uint8_t *)c->in.data + PREFIX_LEN;
        result.len = c->in.len - PREFIX_LEN;
    }
    if (result.status == -EBADMSG)
        (void)snprintf(c->error, sizeof(c->error), "the reply is not one whole gRPC message");
    else if (status < 0 && !*c->error)
        (void)snprintf(c->error, sizeof(c->error), "%s", strerror(-status));
    else if (status > 0 && !*c->error)
        (void)snprintf(c->error, sizeof(c->error), "gRPC status %d", status);
    unlink_call(c->g, c);
    c->done(c->data, &result);
    call_free(c);
}

static void fail_all(struct grpc *g) {
    while (g->calls)
        finish(g->calls, -ECONNRESET);
}

static void on_lost_soon(struct loop_source *s, void *data) {
    struct grpc *g = data;

    (void)s;
    fail_all(g);
    g->lost(g->data);
}

/* The owner hears of it from the loop, never from inside a call it is making. */
static void mark_broken(struct grpc *g) {
    if (g->broken)
        return;
    g->broken = true;
    loop_remove(g->loop, &g->source);
    (void)loop_set_timer(g->loop, &g->lost_soon, 0, on_lost_soon, g);
}

/* --- nghttp2's side --- */

static ssize_t on_send_data(nghttp2_session *session, int32_t stream, uint8_t *out, size_t len, uint32_t *flags,
                            nghttp2_data_source *source, void *user) {
    struct grpc_call *c = source->ptr;
    size_t left = c->out.len - c->sent;
    size_t n = left < len ? left : len;

    (void)session;
    (void)stream;
    (void)user;
    memcpy(out, c->out.data + c->sent, n);
    c->sent += n;
    if (c->sent == c->out.len)
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t)n;
}

static int hex(uint8_t c) {
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                  : -1;
}

/* grpc-message is percent-encoded. */
static void decode_message(const uint8_t *value, size_t len, char *out, size_t out_len) {
    size_t n = 0;

    for (size_t i = 0; i < len && n + 1 < out_len; i++) {
        if (value[i] == '%' && i + 2 < len && hex(value[i + 1]) >= 0 && hex(value[i + 2]) >= 0) {
            out[n++] = (char)(hex(value[i + 1]) * 16 + hex(value[i + 2]));
            i += 2;
        } else {
            out[n++] = (char)value[i];
        }
    }
    out[n] = '\0';
}

static int parse_status(const uint8_t *value, size_t len) {
    char text[8];
    uint64_t n;

    if (len >= sizeof(text))
        return -1;
    memcpy(text, value, len);
    text[len] = '\0';
    return parse_u64(text, 999, &n) < 0 ? -1 : (int)n;
}

static bool is_header(const uint8_t *name, size_t len, const char *want) {
    return len == strlen(want) && !memcmp(name, want, len);
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_len,
                     const uint8_t *value, size_t value_len, uint8_t flags, void *user) {
    struct grpc_call *c = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);

    (void)flags;
    (void)user;
    if (!c)
        return 0;
    if (is_header(name, name_len, "grpc-status"))
        c->status = parse_status(value, value_len);
    else if (is_header(name, name_len, ":status"))
        c->http_status = parse_status(value, value_len);
    else if (is_header(name, name_len, "grpc-message"))
        decode_message(value, value_len, c->error, sizeof(c->error));
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t stream, const uint8_t *data, size_t len,
                   void *user) {
    struct grpc_call *c = nghttp2_session_get_stream_user_data(session, stream);

    (void)flags;
    (void)user;
    if (c && (buf_append(&c->in, data, len) < 0 || (c->on_message && deliver(c) < 0)))
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t stream, uint32_t code, void *user) {
    struct grpc_call *c = nghttp2_session_get_stream_user_data(session, stream);

    (void)user;
    if (!c)
        return 0;
    int status = c->status >= 0 ? c->status : -EPROTO;
    if (status == -EPROTO && !*c->error)
        (void)snprintf(c->error, sizeof(c->error), "no gRPC status: HTTP status %d, stream error %u", c->http_status,
                       code);
    finish(c, status);
    return 0;
}

static int make_session(struct grpc *g) {
    nghttp2_session_callbacks *callbacks;

    if (nghttp2_session_callbacks_new(&callbacks) != 0)
        return -ENOMEM;
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
    int r = nghttp2_session_client_new(&g->session, callbacks, g);
    nghttp2_session_callbacks_del(callbacks);
    return r == 0 && nghttp2_submit_settings(g->session, NGHTTP2_FLAG_NONE, NULL, 0) == 0 ? 0 : -ENOMEM;
}

/* --- the socket's side --- */

/* Collects what nghttp2 has to say, then writes until the socket takes no more. */
static int pump_out(struct grpc *g) {
    for (;;) {
        const uint8_t *data;
        g->busy = true;
        ssize_t n = nghttp2_session_mem_send(g->session, &data);
        g->busy = false;
        if (n < 0 || (n > 0 && buf_append(&g->out, data, (size_t)n) < 0))
            return -EPROTO;
        if (n == 0)
            break;
    }
    while (g->out.len > 0) {
        ssize_t n = send(g->fd, g->out.data, g->out.len, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            break;
        if (n < 0)
            return -errno;
        buf_consume(&g->out, (size_t)n);
    }
    if (!nghttp2_session_want_read(g->session) && !nghttp2_session_want_write(g->session))
        return -EPROTO; /* it has said goodbye, as after a frame that HTTP/2 forbids */
    return loop_modify_fd(g->loop, &g->source, g->out.len ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

static int pump_in(struct grpc *g) {
    uint8_t data[READ_SIZE];

    for (;;) {
        ssize_t n = recv(g->fd, data, sizeof(data), MSG_DONTWAIT);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno == EAGAIN ? 0 : -errno;
        if (n == 0)
            return -ECONNRESET;
        g->busy = true;
        ssize_t used = nghttp2_session_mem_recv(g->session, data, (size_t)n);
        g->busy = false;
        if (used < 0)
            return -EPROTO;
        if (g->broken)
            return 0;
    }
}

static void on_socket(struct loop_source *s, uint32_t events, void *data) {
    struct grpc *g = data;
    int r = 0;

    (void)s;
    if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
        r = pump_in(g);
    if (!r && !g->broken)
        r = pump_out(g);
    if (r < 0)
        mark_broken(g);
}

static int connect_unix(const char *path) {
    struct sockaddr_un addr = {.sun_family = AF_UNIX};

    if (strlen(path) >= sizeof(addr.sun_path))
        return -ENAMETOOLONG;
    memcpy(addr.sun_path, path, strlen(path) + 1);
    AUTO_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    if (connect(fd, (const struct sockaddr *)&addr, sizeof(addr)) < 0)
        return -errno;
    return steal_fd(&fd);
}

int grpc_open(struct grpc **out, struct loop *l, int fd, const char *ns, grpc_lost_fn *lost, void *data) {
    struct grpc *g = calloc(1, sizeof(*g));

    if (!g) {
        (void)close(fd);
        return -ENOMEM;
    }
    *g = (struct grpc){.loop = l, .lost = lost, .data = data, .fd = fd};
    (void)snprintf(g->ns, sizeof(g->ns), "%s", ns);
    int r = make_session(g);
    if (!r)
        r = loop_add_fd(l, &g->source, g->fd, EPOLLIN, on_socket, g);
    if (!r) /* made now, so that a loss can be told when there is no descriptor left for a timer */
        r = loop_set_timer(l, &g->lost_soon, NEVER_MS, on_lost_soon, g);
    if (!r)
        r = pump_out(g);
    if (r < 0) {
        grpc_close(g);
        return r;
    }
    *out = g;
    return 0;
}

int grpc_connect(struct grpc **out, struct loop *l, const char *socket_path, const char *ns, grpc_lost_fn *lost,
                 void *data) {
    int fd = connect_unix(socket_path);

    return fd < 0 ? fd : grpc_open(out, l, fd, ns, lost, data);
}

void grpc_close(struct grpc *g) {
    if (!g)
        return;
    loop_remove(g->loop, &g->source);
    loop_remove(g->loop, &g->lost_soon);
    g->broken = true; /* whoever is answered now cannot call again */
    fail_all(g);
    if (g->session)
        nghttp2_session_del(g->session);
    if (g->fd >= 0)
        (void)close(g->fd);
    buf_free(&g->out);
    free(g);
}

/* nghttp2 may keep the request back (the server allows so many streams), or the server may never end the stream: the
 * call is over for us in any case. */
static void abandon(struct grpc_call *c, int status, const char *why) {
    struct grpc *g = c->g;

    (void)nghttp2_session_set_stream_user_data(g->session, c->stream, NULL); /* it forgets the call */
    if (nghttp2_submit_rst_stream(g->session, NGHTTP2_FLAG_NONE, c->stream, NGHTTP2_CANCEL) != 0 ||
        (!g->busy && pump_out(g) < 0))
        mark_broken(g);
    (void)snprintf(c->error, sizeof(c->error), "%s", why);
    finish(c, status);
}

static void on_deadline(struct loop_source *s, void *data) {
    struct grpc_call *c = data;

    (void)s;
    if (!c->g->broken) /* else the answer is on its way */
        abandon(c, -ETIMEDOUT, "no answer in time");
}

void grpc_give_up(struct grpc *g, const void *data) {
    struct grpc_call *c = g->calls;

    while (c && c->data != data)
        c = c->next;
    if (c && !g->broken)
        abandon(c, -ECANCELED, "given up");
}

#define HEADER(name, value)                                                                                            \
    { (uint8_t *)(uintptr_t)(name), (uint8_t *)(uintptr_t)(value), strlen(name), strlen(value), NGHTTP2_NV_FLAG_NONE }

static int submit(struct grpc_call *c, const char *method, const char *ns) {
    const nghttp2_nv headers[] = {
        HEADER(":method", "POST"),       HEADER(":scheme", "http"),
        HEADER(":path", method),         HEADER(":authority", "localhost"),
        HEADER("te", "trailers"),        HEADER("content-type", "application/grpc"),
        HEADER("user-agent", "keelson"), HEADER("containerd-namespace", ns),
    };
    const nghttp2_data_provider body = {.source.ptr = c, .read_callback = on_send_data};

    c->stream = nghttp2_submit_request(c->g->session, NULL, headers, ARRAY_SIZE(headers), &body, c);
    return c->stream < 0 ? -ENOMEM : 0;
}

static int frame_request(struct grpc_call *c, const uint8_t *request, size_t len) {
    uint8_t prefix[PREFIX_LEN] = {0};
    uint32_t n = htonl((uint32_t)len);

    if (len > GRPC_MESSAGE_MAX)
        return -E2BIG;
    memcpy(prefix + 1, &n, sizeof(n));
    int r = buf_append(&c->out, prefix, sizeof(prefix));
    return r < 0 ? r : buf_append(&c->out, request, len);
}

static int begin(struct grpc *g, const char *method, const uint8_t *request, size_t len, unsigned timeout_ms,
                 const struct grpc_call *how) {
    char ns[GRPC_NS_MAX];

    (void)snprintf(ns, sizeof(ns), "%s", *g->next_ns ? g->next_ns : g->ns);
    g->next_ns[0] = '\0';
    if (g->broken)
        return -ECONNRESET;
    struct grpc_call *c = calloc(1, sizeof(*c));
    if (!c)
        return -ENOMEM;
    *c = *how;
    c->g = g;
    c->status = -1;
    c->in.max = GRPC_MESSAGE_MAX + PREFIX_LEN;
    c->out.max = GRPC_MESSAGE_MAX + PREFIX_LEN;
    int r = frame_request(c, request, len);
    if (!r && timeout_ms)
        r = loop_set_timer(g->loop, &c->deadline, timeout_ms, on_deadline, c);
    if (!r)
        r = submit(c, method, ns);
    if (r < 0) {
        call_free(c);
        return r;
    }
    c->next = g->calls;
    g->calls = c;
    if (!g->busy && pump_out(g) < 0)
        mark_broken(g); /* done() hears of it from the loop */
    return 0;
}

void grpc_use_namespace(struct grpc *g, const char *ns) {
    (void)snprintf(g->next_ns, sizeof(g->next_ns), "%s", ns);
}

int grpc_call(struct grpc *g, const char *method, const uint8_t *request, size_t len, unsigned timeout_ms,
              grpc_done_fn *done, void *data) {
    const struct grpc_call how = {.done = done, .data = data};

    return begin(g, method, request, len, timeout_ms, &how);
}

int grpc_stream(struct grpc *g, const char *method, const uint8_t *request, size_t len, grpc_message_fn *on_message,
                grpc_done_fn *done, void *data) {
    const struct grpc_call how = {.on_message = on_message, .done = done, .data = data};

    return begin(g, method, request, len, 0, &how);
}
