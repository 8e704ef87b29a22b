/* SPDX-License-Identifier: Apache-2.0 */
/* `service`'s side of the control socket, against a child that plays svcd. */
#include "svcd/client.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/fdutil.h"
#include "lib/json.h"

#define MUCH ((size_t)4 << 20)

static char dir[] = "/tmp/client_test.XXXXXX", path[64];
static pid_t server;

typedef void play_fn(int fd);

static int listener; /* the child's */

static int listen_here(void) {
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
    return fd >= 0 && bind(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0 && listen(fd, 4) == 0 ? fd : -1;
}

/* The child takes one connection and plays; delay_ms: the socket appears only then. */
static void serve(play_fn *play, unsigned delay_ms) {
    int fd = delay_ms ? -1 : listen_here();

    server = fork();
    assert_true(server >= 0);
    if (server > 0) {
        if (fd >= 0)
            (void)close(fd);
        return;
    }
    if (delay_ms) {
        (void)usleep(delay_ms * 1000);
        fd = listen_here();
    }
    listener = fd;
    int peer = accept(fd, NULL, NULL);
    if (peer >= 0)
        play(peer);
    _exit(0);
}

static int finish(void **state) {
    (void)state;
    if (server > 0)
        (void)waitpid(server, NULL, 0);
    server = 0;
    (void)unlink(path);
    return 0;
}

static void say(int fd, const char *text) {
    (void)write_full(fd, text, strlen(text));
}

static void hear(int fd) {
    char c = 0;

    while (c != '\n' && read(fd, &c, 1) == 1)
        ;
}

static void play_echo(int fd) {
    char request[256] = "", reply[512];
    ssize_t n = read(fd, request, sizeof(request) - 1);

    request[n > 0 ? n - 1 : 0] = '\0';
    (void)snprintf(reply, sizeof(reply), "{\"asked\":%s,\"done\":true}\n", request);
    say(fd, reply);
}

static void play_slowly(int fd) {
    hear(fd);
    say(fd, "{\"progress\":1}\nno JSON at all\n{\"done\":fal");
    (void)usleep(20000);
    say(fd, "se}\n{\"done\":true,\"error\":\"it");
    (void)usleep(20000);
    say(fd, " broke\"}\n{\"done\":true}\n");
}

static void play_hang_up(int fd) {
    (void)close(fd);
}

static void play_half(int fd) {
    hear(fd);
    say(fd, "{\"done\":tr");
}

static void play_flood(int fd) {
    static char much[65536];

    (void)signal(SIGPIPE, SIG_DFL);
    memset(much, 'x', sizeof(much));
    while (write_full(fd, much, sizeof(much)) == 0)
        ;
}

static char noted[64];

static void on_note(const char *text) {
    (void)snprintf(noted, sizeof(noted), "%s", text);
}

static int request(const char *cmd, const char *name, unsigned wait_ms, json_t **reply, struct err *e) {
    const struct client_ask ask = {.cmd = cmd, .name = name, .wait_ms = wait_ms, .note = on_note};

    noted[0] = '\0';
    return client_request(path, &ask, reply, e);
}

static void a_request_is_one_line(void **state) {
    AUTO_JSON json_t *reply = NULL;
    struct err e = {0};
    (void)state;
    serve(play_echo, 0);
    if (request("stop", "w\"w", 0, &reply, &e) < 0)
        fail_msg("%s", e.msg);
    const json_t *asked = json_object_get(reply, "asked");
    assert_string_equal(json_string_value(json_object_get(asked, "cmd")), "stop");
    assert_string_equal(json_string_value(json_object_get(asked, "name")), "w\"w");
}

static void the_last_answer_counts_whatever_comes_before(void **state) {
    AUTO_JSON json_t *reply = NULL;
    struct err e = {0};
    (void)state;
    serve(play_slowly, 0);
    assert_int_equal(request("list", NULL, 0, &reply, &e), 0);
    assert_string_equal(json_string_value(json_object_get(reply, "error")), "it broke");
}

/* Sixteen others are there already, or we are not root. It must not die of SIGPIPE. */
static void who_is_turned_away_hears_of_it(void **state) {
    AUTO_JSON json_t *reply = NULL;
    struct err e = {0};
    char *name = malloc(MUCH + 1); /* more than a socket holds: the connection is closed while it is sent */
    (void)state;
    assert_non_null(name);
    memset(name, 'n', MUCH);
    name[MUCH] = '\0';
    serve(play_hang_up, 0);
    assert_true(request("stop", name, 0, &reply, &e) < 0);
    assert_non_null(strstr(e.msg, "turned us away"));
    free(name);
}

static void half_an_answer_is_none(void **state) {
    AUTO_JSON json_t *reply = NULL;
    struct err e = {0};
    (void)state;
    serve(play_half, 0);
    assert_int_equal(request("list", NULL, 0, &reply, &e), -ECONNRESET);
    assert_non_null(strstr(e.msg, "without an answer"));
}

static void an_endless_answer_is_cut(void **state) {
    AUTO_JSON json_t *reply = NULL;
    struct err e = {0};
    (void)state;
    serve(play_flood, 0);
    assert_int_equal(request("list", NULL, 0, &reply, &e), -E2BIG);
}

static void a_socket_that_comes_later_is_waited_for(void **state) {
    AUTO_JSON json_t *reply = NULL;
    struct err e = {0};
    (void)state;
    assert_int_equal(request("list", NULL, 0, &reply, &e), -ENOENT);
    assert_non_null(strstr(e.msg, "could not reach svcd on /tmp/client_test."));
    serve(play_echo, 50);
    assert_int_equal(request("list", NULL, 5000, &reply, &e), 0);
}

static int request_impatiently(const char *cmd, json_t **reply, struct err *e) {
    const struct client_ask ask = {.cmd = cmd, .sign_ms = 50};

    return client_request(path, &ask, reply, e);
}

/* Stopped: the kernel takes connections for it, as many as its queue holds, and nobody reads. */
static void a_svcd_that_is_stopped_is_not_waited_for(void **state) {
    AUTO_JSON json_t *reply = NULL;
    int others[16];
    struct err e = {0};
    (void)state;
    AUTO_CLOSE int fd = listen_here();
    assert_true(fd >= 0);
    assert_int_equal(request_impatiently("list", &reply, &e), -ETIMEDOUT);
    assert_string_equal(e.msg, "svcd does not answer");
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    (void)snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
    for (size_t i = 0; i < ARRAY_SIZE(others); i++) { /* until it is full */
        others[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        (void)connect(others[i], (struct sockaddr *)&addr, sizeof(addr));
    }
    e.msg[0] = '\0';
    assert_int_equal(request_impatiently("list", &reply, &e), -ETIMEDOUT);
    assert_string_equal(e.msg, "svcd does not answer");
    for (size_t i = 0; i < ARRAY_SIZE(others); i++)
        (void)close(others[i]);
}

/* It answers only when it was asked for signs: with an answer, and, with too many clients, without one. */
static void play_patience(int fd) {
    hear(fd);
    for (int i = 0; i < 2; i++) {
        int other = accept(listener, NULL, NULL);
        if (i == 0) {
            hear(other);
            say(other, "{\"done\":true}\n");
        }
        (void)close(other);
    }
    say(fd, "{\"done\":true,\"after\":\"long\"}\n");
}

static void an_answer_may_take_long(void **state) {
    AUTO_JSON json_t *reply = NULL;
    struct err e = {0};
    (void)state;
    serve(play_patience, 0);
    if (client_request(path, &(const struct client_ask){.cmd = "wait", .sign_ms = 500}, &reply, &e) < 0)
        fail_msg("%s", e.msg);
    assert_string_equal(json_string_value(json_object_get(reply, "after")), "long");
}

static void a_name_that_is_no_utf8_is_refused(void **state) {
    AUTO_JSON json_t *reply = NULL;
    struct err e = {0};
    (void)state;
    assert_int_equal(request("stop", "caf\xe9", 0, &reply, &e), -EINVAL);
}

static int make_dir(void **state) {
    (void)state;
    if (!mkdtemp(dir))
        return -1;
    (void)snprintf(path, sizeof(path), "%s/sock", dir);
    return 0;
}

static int remove_dir(void **state) {
    (void)state;
    return rmdir(dir);
}

/* control.c holds the lock for as long as svcd lives; the socket is left by one that is killed. */
static void a_socket_without_an_svcd_is_told_from_one_with(void **state) {
    char lock[80];
    (void)state;
    (void)snprintf(lock, sizeof(lock), "%s.lock", path);
    assert_false(client_is_served(path));
    int fd = open(lock, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0);
    assert_true(client_is_served(path));
    (void)close(fd);
    assert_false(client_is_served(path));
    assert_int_equal(unlink(lock), 0);
}

#define T(name) cmocka_unit_test_teardown(name, finish)

int main(void) {
    const struct CMUnitTest tests[] = {
        T(a_request_is_one_line),
        T(the_last_answer_counts_whatever_comes_before),
        T(who_is_turned_away_hears_of_it),
        T(half_an_answer_is_none),
        T(an_endless_answer_is_cut),
        T(a_socket_that_comes_later_is_waited_for),
        T(a_name_that_is_no_utf8_is_refused),
        T(a_svcd_that_is_stopped_is_not_waited_for),
        T(an_answer_may_take_long),
        T(a_socket_without_an_svcd_is_told_from_one_with),
    };
    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
