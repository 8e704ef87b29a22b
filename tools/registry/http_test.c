/* SPDX-License-Identifier: Apache-2.0 */
/* How long a server is waited for; what else servers do is in tests/host. */
#include "tools/registry/http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include <cmocka.h>

#include "lib/fdutil.h"

#define DRIPS 40

struct server {
    int fd;
    char url[64];
};

static void listen_on_loopback(struct server *s) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);

    s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(s->fd >= 0);
    assert_int_equal(bind(s->fd, (struct sockaddr *)&address, len), 0);
    assert_int_equal(listen(s->fd, 16), 0);
    assert_int_equal(getsockname(s->fd, (struct sockaddr *)&address, &len), 0);
    (void)snprintf(s->url, sizeof(s->url), "http://127.0.0.1:%u/", (unsigned)ntohs(address.sin_port));
}

static int take(void *ctx, const void *data, size_t len, struct err *e) {
    (void)e;
    return buf_append(ctx, data, len);
}

/* The kernel takes the connections; nobody reads what comes. */
static void silence_is_tried_twice(void **state) {
    static const struct {
        const char *method, *body;
        int connections;
    } cases[] = {{"GET", NULL, 2}, {"HEAD", NULL, 2}, {"PUT", "x", 1}};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        AUTO_REPLY struct http_reply rp = {0};
        struct server s;
        struct err e = {0};
        listen_on_loopback(&s);
        struct http_request rq = {.method = cases[i].method,
                                  .url = s.url,
                                  .body = cases[i].body,
                                  .body_len = cases[i].body ? strlen(cases[i].body) : 0,
                                  .stall_seconds = 1};
        CURL *curl = curl_easy_init();
        assert_int_equal(http_request(curl, &rq, &rp, &e), -ETIMEDOUT);
        assert_string_equal(e.msg, "it takes the request, and then nothing comes for 1 s");
        curl_easy_cleanup(curl);
        int connections = 0, fd;
        assert_int_equal(fcntl(s.fd, F_SETFL, O_NONBLOCK), 0);
        while ((fd = accept4(s.fd, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
            connections++;
            (void)close(fd);
        }
        assert_int_equal(connections, cases[i].connections);
        (void)close(s.fd);
    }
}

/* A byte now and then, for longer than silence is borne. */
static void *drip(void *data) {
    const struct server *s = data;
    const struct timespec pause = {.tv_nsec = 100000000};
    char request[1024], head[64];
    AUTO_CLOSE int fd = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC);

    (void)snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", DRIPS);
    bool ok = fd >= 0 && read(fd, request, sizeof(request)) > 0 && write_full(fd, head, strlen(head)) == 0;
    for (int i = 0; i < DRIPS && ok; i++)
        ok = write_full(fd, "x", 1) == 0 && nanosleep(&pause, NULL) == 0;
    return NULL;
}

static void what_is_slow_is_not_silent(void **state) {
    AUTO_REPLY struct http_reply rp = {0};
    AUTO_BUF struct buf body = BUF_INIT;
    struct server s;
    struct err e = {0};
    pthread_t thread;

    (void)state;
    listen_on_loopback(&s);
    assert_int_equal(pthread_create(&thread, NULL, drip, &s), 0);
    struct http_request rq = {.method = "GET", .url = s.url, .sink = take, .sink_ctx = &body, .stall_seconds = 2};
    CURL *curl = curl_easy_init();
    assert_int_equal(http_request(curl, &rq, &rp, &e), 0);
    assert_int_equal(rp.status, 200);
    assert_int_equal(body.len, DRIPS);
    curl_easy_cleanup(curl);
    assert_int_equal(pthread_join(thread, NULL), 0);
    (void)close(s.fd);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(silence_is_tried_twice),
        cmocka_unit_test(what_is_slow_is_not_silent),
    };

    (void)signal(SIGPIPE, SIG_IGN);
    (void)unsetenv("http_proxy");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
