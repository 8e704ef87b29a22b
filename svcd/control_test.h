/* SPDX-License-Identifier: Apache-2.0 */
/* For the tests of the control socket: a svcd with two services that are walked through their lives by hand. */
#ifndef SVCD_CONTROL_TEST_H
#define SVCD_CONTROL_TEST_H

#include "svcd/control.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "lib/json.h"
#include "lib/log.h"
#include "lib/spawn.h"
#include "svcd/cgroup.h"
#include "svcd/probe.h"
#include "svcd/svcd.h"

#define MANY 400 /* services, whose list is more than a socket holds */

static char dir[] = "/tmp/control_test.XXXXXX", path[64];
static struct svcd d;
static struct grpc *connection;
static unsigned inits, containerd_starts;

/* --- what stands below --- */

struct service *svcd_find(struct svcd *svcd, const char *name) {
    for (size_t i = 0; i < svcd->services_len; i++)
        if (!strcmp(svcd->services[i].name, name))
            return &svcd->services[i];
    return NULL;
}

void svcd_start_containerd(struct svcd *svcd) {
    (void)svcd;
    containerd_starts++;
}

void svcd_system_init(struct svcd *svcd) {
    inits++;
    for (size_t i = 0; i < svcd->services_len; i++)
        service_start(&svcd->services[i]);
}

static inline void fake_enter(struct service *s, enum life l) {
    if (l == LIFE_PREPARE || l == LIFE_ATTACH)
        service_event(s, LIFE_EV_OK);
}

static const struct service_ops fake = {
    .enter = fake_enter, .probe = probe_start, .stop_probe = probe_stop, .now_ms = clock_ms, .set_timer = service_arm};

static inline void changed(struct service *s, void *data) {
    (void)data;
    control_service_changed(&d.control, s);
}

static inline void add_service(const char *name) {
    struct service *s = &d.services[d.services_len];
    struct err e = {0};

    assert_int_equal(service_init(s, "/containers/services", name, &d.loop, &connection, changed, NULL, &e), 0);
    s->ops = &fake;
    d.services_len++;
}

static inline void comes_up(struct service *s) {
    service_event(s, LIFE_EV_NOT_FOUND); /* no task, */
    service_event(s, LIFE_EV_NOT_FOUND); /* no container */
    for (int i = 0; i < 3; i++)
        service_event(s, LIFE_EV_OK);
    assert_int_equal(s->life, LIFE_RUNNING);
}

static inline void goes_down(struct service *s, uint32_t status) {
    service_exited(s, status, false);
    service_event(s, LIFE_EV_OK);
    service_event(s, LIFE_EV_OK);
}

/* --- clients --- */

static inline void stop_loop(struct loop_source *s, void *data) {
    (void)s;
    (void)data;
    loop_stop(&d.loop);
}

/* Lets the loop do what there is to do now. */
static inline void turn(void) {
    struct loop_source timer = LOOP_SOURCE_INIT;

    assert_int_equal(loop_set_timer(&d.loop, &timer, 5, stop_loop, NULL), 0);
    assert_int_equal(loop_run(&d.loop), 0);
}

static inline int client(void) {
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    (void)snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
    return fd;
}

static inline void say(int fd, const char *text) {
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
    turn();
}

static inline bool is_closed(int fd) {
    char c;
    ssize_t n = recv(fd, &c, 1, 0);

    assert_true(n <= 0);
    return n == 0 || errno == ECONNRESET;
}

static inline bool is_silent(int fd) {
    char c;

    return recv(fd, &c, 1, MSG_PEEK) < 0 && errno == EAGAIN;
}

/* The answer, which must be one whole line at whose end the connection is closed; closes fd. */
static inline json_t *heard(int fd) {
    AUTO_BUF struct buf text = BUF_INIT;
    json_t *reply;

    for (int turns = 0;;) {
        char *room = buf_reserve(&text, 65536);
        assert_non_null(room);
        ssize_t n = recv(fd, room, 65536, 0);
        if (n < 0 && errno == EAGAIN) {
            assert_true(turns++ < 1000);
            turn();
            continue;
        }
        assert_true(n >= 0);
        if (n == 0)
            break;
        buf_commit(&text, (size_t)n);
    }
    (void)close(fd);
    assert_true(text.len > 0);
    assert_ptr_equal(memchr(text.data, '\n', text.len), text.data + text.len - 1);
    reply = json_loadb(text.data, text.len, 0, NULL);
    assert_non_null(reply);
    assert_true(json_is_true(json_object_get(reply, "done")));
    return reply;
}

/* "" if it went well */
static inline void expect_error(int fd, const char *words) {
    AUTO_JSON json_t *reply = heard(fd);
    const char *error = json_string_value(json_object_get(reply, "error"));

    if (!*words && error)
        fail_msg("unexpected error: %s", error);
    if (*words && (!error || !strstr(error, words)))
        fail_msg("\"%s\" does not say \"%s\"", error ? error : "", words);
}

static inline int setup(void **state) {
    struct err e = {0};
    (void)state;
    inits = containerd_starts = 0;
    d = (struct svcd){0};
    d.containerd.ready = true;
    d.services = calloc(MANY, sizeof(*d.services));
    (void)snprintf(path, sizeof(path), "%s/sock", dir);
    log_set_fd(-1);
    if (!d.services || loop_init(&d.loop) < 0)
        return -1;
    add_service("db");
    add_service("www");
    return control_start(&d.control, path, &d, &d.loop, &e);
}

static inline int teardown(void **state) {
    (void)state;
    control_stop(&d.control);
    for (size_t i = 0; i < d.services_len; i++)
        service_fini(&d.services[i]);
    free(d.services);
    loop_fini(&d.loop);
    log_set_fd(2);
    return 0;
}

static inline int make_dir(void **state) {
    (void)state;
    return mkdtemp(dir) ? 0 : -1;
}

static inline int remove_dir(void **state) {
    char lock[80];
    (void)state;
    (void)snprintf(lock, sizeof(lock), "%s.lock", path);
    (void)unlink(lock);
    return rmdir(dir);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
