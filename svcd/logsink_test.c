/* SPDX-License-Identifier: Apache-2.0 */
#include "svcd/logsink.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/fdutil.h"
#include "memlogd/wire.h"

static char dir[] = "/tmp/logsink_test.XXXXXX", sock[64], fifo[96], sub[80];
static int server = -1;

static int setup(void **state) {
    (void)state;
    memcpy(strrchr(dir, '.'), ".XXXXXX", 7);
    if (!mkdtemp(dir))
        return -1;
    (void)snprintf(sock, sizeof(sock), "%s/l", dir);
    (void)snprintf(sub, sizeof(sub), "%s/sub", dir);
    (void)snprintf(fifo, sizeof(fifo), "%s/s.log", sub);
    server = wire_bind(sock, SOCK_DGRAM, 0600, NULL);
    return server < 0 ? -1 : 0;
}

static int teardown(void **state) {
    (void)state;
    if (server >= 0)
        (void)close(server);
    (void)unlink(fifo);
    (void)rmdir(sub);
    (void)unlink(sock);
    return rmdir(dir);
}

/* What memlogd would get. */
static int receive(const char *name) {
    char text[64];
    struct iovec iov = {text, sizeof(text)};
    union {
        struct cmsghdr align;
        char space[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct msghdr h = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.space};
    int fd = -1;

    h.msg_controllen = sizeof(control.space);
    ssize_t n = recvmsg(server, &h, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    assert_int_equal(n, strlen(name));
    assert_memory_equal(text, name, strlen(name));
    const struct cmsghdr *c = CMSG_FIRSTHDR(&h);
    if (c)
        memcpy(&fd, CMSG_DATA(c), sizeof(fd));
    assert_true(fd >= 0);
    return fd;
}

static void assert_reads(int fd, const char *want) {
    char text[64] = "";

    assert_int_equal(read(fd, text, sizeof(text) - 1), strlen(want));
    assert_string_equal(text, want);
}

static void a_pipe_and_its_end(void **state) {
    int w = -1;

    (void)state;
    assert_true(logsink_present(sock));
    assert_int_equal(logsink_pipe(sock, "onboot.000-a.out", &w, NULL), 0);
    AUTO_CLOSE int r = receive("onboot.000-a.out");
    assert_int_equal(write_full(w, "line\n", 5), 0);
    assert_reads(r, "line\n");
    assert_int_equal(close(w), 0);
    assert_reads(r, ""); /* nobody else holds the writing end */
}

static void a_fifo_replaces_an_old_one(void **state) {
    (void)state;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(logsink_fifo(sock, fifo, "s", NULL), 0);
        AUTO_CLOSE int r = receive("s");
        AUTO_CLOSE int w = open(fifo, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
        assert_true(w >= 0);
        assert_int_equal(write_full(w, "x\n", 2), 0);
        assert_reads(r, "x\n");
    }
}

static bool has_ended(int fd) {
    struct pollfd p = {.fd = fd, .events = POLLIN};

    return poll(&p, 1, 0) == 1 && p.revents & POLLHUP;
}

/* Its service could not be started: nobody has ever written there, and memlogd would keep it for ever. */
static void a_fifo_that_nobody_has_opened_ends_with_the_next_one(void **state) {
    (void)state;
    assert_int_equal(logsink_fifo(sock, fifo, "s", NULL), 0);
    AUTO_CLOSE int first = receive("s");
    assert_false(has_ended(first));
    assert_int_equal(logsink_fifo(sock, fifo, "s", NULL), 0);
    assert_true(has_ended(first));
    assert_reads(first, "");
    AUTO_CLOSE int second = receive("s");
    assert_false(has_ended(second));
}

static void it_ends_before_it_was_taken_too(void **state) {
    (void)state;
    assert_int_equal(logsink_fifo(sock, fifo, "s", NULL), 0);
    assert_int_equal(logsink_remove(fifo, NULL), 0);
    AUTO_CLOSE int r = receive("s");
    assert_true(has_ended(r));
    assert_int_equal(access(fifo, F_OK), -1);
    assert_int_equal(logsink_remove(fifo, NULL), 0); /* there is none */
}

static void whoever_writes_to_the_old_one_loses_nothing(void **state) {
    (void)state;
    assert_int_equal(logsink_fifo(sock, fifo, "s", NULL), 0);
    AUTO_CLOSE int r = receive("s");
    int w = open(fifo, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
    assert_int_equal(write_full(w, "before\n", 7), 0);
    assert_int_equal(logsink_fifo(sock, fifo, "s", NULL), 0);
    assert_false(has_ended(r));
    assert_int_equal(write_full(w, "behind\n", 7), 0);
    assert_reads(r, "before\nbehind\n");
    AUTO_CLOSE int next = receive("s");
    assert_int_equal(close(w), 0);
    assert_true(has_ended(r));
    assert_false(has_ended(next));
}

/* Whatever somebody has put in its place: nothing is waited for, nor written to. */
static void what_is_no_fifo_is_only_removed(void **state) {
    char other[96];
    (void)state;
    (void)snprintf(other, sizeof(other), "%s/other", dir);
    assert_int_equal(mkdir_p(sub, 0700, NULL), 0);
    assert_int_equal(mkfifo(other, 0600), 0);
    AUTO_CLOSE int r = open(other, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    assert_int_equal(symlink(other, fifo), 0);
    assert_int_equal(logsink_remove(fifo, NULL), 0);
    assert_false(has_ended(r));
    assert_int_equal(access(fifo, F_OK), -1);
    assert_int_equal(mkdir_p(fifo, 0700, NULL), 0);
    assert_true(logsink_remove(fifo, NULL) < 0);
    (void)rmdir(fifo);
    (void)unlink(other);
}

static void without_a_daemon_there_is_no_fifo(void **state) {
    struct stat st;
    struct err e = {0};
    int w = -1;

    (void)state;
    assert_int_equal(close(server), 0);
    server = -1;
    assert_true(logsink_present(sock)); /* but nobody answers */
    assert_int_equal(logsink_fifo(sock, fifo, "s", &e), -ECONNREFUSED);
    assert_int_equal(lstat(fifo, &st), -1);
    assert_int_equal(logsink_pipe(sock, "s", &w, &e), -ECONNREFUSED);
    assert_int_equal(w, -1);
    assert_int_equal(unlink(sock), 0);
    assert_false(logsink_present(sock));
}

static void a_daemon_that_is_stuck_costs_a_moment_only(void **state) {
    struct err e = {0};
    int r = 0;

    (void)state;
    for (int i = 0; i < 1000 && !r; i++) { /* more than the socket takes */
        int w = -1;
        r = logsink_pipe(sock, "s", &w, &e);
        if (!r)
            (void)close(w);
    }
    assert_int_equal(r, -EAGAIN);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_pipe_and_its_end, setup, teardown),
        cmocka_unit_test_setup_teardown(a_fifo_replaces_an_old_one, setup, teardown),
        cmocka_unit_test_setup_teardown(a_fifo_that_nobody_has_opened_ends_with_the_next_one, setup, teardown),
        cmocka_unit_test_setup_teardown(it_ends_before_it_was_taken_too, setup, teardown),
        cmocka_unit_test_setup_teardown(whoever_writes_to_the_old_one_loses_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_no_fifo_is_only_removed, setup, teardown),
        cmocka_unit_test_setup_teardown(without_a_daemon_there_is_no_fifo, setup, teardown),
        cmocka_unit_test_setup_teardown(a_daemon_that_is_stuck_costs_a_moment_only, setup, teardown),
    };

    (void)signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
