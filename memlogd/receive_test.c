/* SPDX-License-Identifier: Apache-2.0 */
/* Every kind of descriptor, empty, with its O_NONBLOCK off: an alarm ends a test that waits. */
#include "memlogd/receive.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/auto.h"

#define HANGS_S 60

static char data[1 << 20];

static void assert_never_waits(int reads, int writes, int kind) {
    assert_int_equal(fcntl(reads, F_GETFL) & O_NONBLOCK, 0);
    assert_int_equal(receive_kind(reads), kind);
    assert_int_equal(receive((enum receive_kind)kind, reads, data, sizeof(data)), -EAGAIN);
    assert_int_equal(write(writes, "ab", 2), 2);
    assert_int_equal(receive((enum receive_kind)kind, reads, data, sizeof(data)), 2);
    assert_memory_equal(data, "ab", 2);
    assert_int_equal(receive((enum receive_kind)kind, reads, data, sizeof(data)), -EAGAIN);
}

static void pipes(void **state) {
    int p[2];

    (void)state;
    assert_int_equal(pipe2(p, O_CLOEXEC), 0);
    assert_never_waits(p[0], p[1], RECEIVE_PIPE);
    assert_int_equal(receive_kind(p[1]), -EBADF);
    assert_int_equal(write(p[1], "abc", 3), 3);
    assert_int_equal(receive(RECEIVE_PIPE, p[0], data, 2), 2); /* the rest stays */
    assert_int_equal(close(p[1]), 0);
    assert_int_equal(receive(RECEIVE_PIPE, p[0], data, 2), 1);
    assert_int_equal(receive(RECEIVE_PIPE, p[0], data, 2), 0);
    receive_close(p[0]);
    assert_int_equal(fcntl(p[0], F_GETFD), -1);
}

static void a_fifo_that_is_open_both_ways(void **state) {
    char dir[] = "/tmp/receive_test.XXXXXX", path[64];

    (void)state;
    assert_non_null(mkdtemp(dir));
    (void)snprintf(path, sizeof(path), "%s/fifo", dir);
    assert_int_equal(mkfifo(path, 0600), 0);
    AUTO_CLOSE int fd = open(path, O_RDWR | O_CLOEXEC);
    assert_never_waits(fd, fd, RECEIVE_PIPE_RW);
    assert_int_equal(unlink(path) | rmdir(dir), 0);
}

static void sockets(void **state) {
    static const int types[][2] = {
        {SOCK_STREAM, RECEIVE_STREAM}, {SOCK_SEQPACKET, RECEIVE_PACKETS}, {SOCK_DGRAM, RECEIVE_DATAGRAMS}};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
        int p[2];
        assert_int_equal(socketpair(AF_UNIX, types[i][0] | SOCK_CLOEXEC, 0, p), 0);
        assert_never_waits(p[0], p[1], types[i][1]);
        if (types[i][0] != SOCK_STREAM) { /* its whole length is told, if not received */
            assert_int_equal(write(p[1], "abcdef", 6), 6);
            assert_int_equal(receive((enum receive_kind)types[i][1], p[0], data, 2), 6);
        }
        assert_int_equal(close(p[1]), 0);
        if (types[i][0] != SOCK_DGRAM)
            assert_int_equal(receive((enum receive_kind)types[i][1], p[0], data, 2), 0);
        receive_close(p[0]);
    }
}

/* A read of these may wait, or takes what is not ours (a signalfd: this process's own signals). */
static void nothing_else(void **state) {
    (void)state;
    AUTO_CLOSE int event = eventfd(0, EFD_CLOEXEC);
    AUTO_CLOSE int file = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
    AUTO_CLOSE int directory = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    AUTO_CLOSE int terminal = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
    const int fds[] = {event, file, directory, terminal};
    for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
        assert_true(fds[i] >= 0);
        assert_int_equal(receive_kind(fds[i]), -EPERM);
    }
    assert_int_equal(receive_kind(-1), -EBADF);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pipes),
        cmocka_unit_test(a_fifo_that_is_open_both_ways),
        cmocka_unit_test(sockets),
        cmocka_unit_test(nothing_else),
    };

    (void)alarm(HANGS_S);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
