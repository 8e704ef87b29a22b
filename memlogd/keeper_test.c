/* SPDX-License-Identifier: Apache-2.0 */
/* A keeper that does not read, and one that does. */
#include "memlogd/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/fdstore.h"

#define HANGS_S 60

static struct loop loop;
static struct loop_source stopper;
static struct keeper keeper;
static int reads; /* the keeper's end */
static int fds[KEEPER_PLACES];
static unsigned told[KEEPER_PLACES];
static int told_error;

static int descriptor(void *data, unsigned place) {
    (void)data;
    return fds[place];
}

static void on_told(void *data, unsigned place, int error) {
    (void)data;
    told[place]++;
    told_error = error;
}

static int setup(void **state) {
    int p[2];

    (void)state;
    memset(told, 0, sizeof(told));
    for (size_t i = 0; i < KEEPER_PLACES; i++)
        fds[i] = -1;
    if (loop_init(&loop) < 0 || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, p) < 0)
        return -1;
    reads = p[0];
    keeper = (struct keeper){.descriptor = descriptor, .told = on_told};
    keeper_init(&keeper, &loop, p[1]);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    loop_remove(&loop, &keeper.source);
    loop_fini(&loop);
    return (reads >= 0 ? close(reads) : 0) | close(keeper.sock);
}

/* The next message; false: there is none. */
static bool next(struct fdstore_msg *m, bool *with_fd) {
    union {
        struct cmsghdr align;
        char space[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec iov = {m, sizeof(*m)};
    struct msghdr h = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.space};
    int fd;

    h.msg_controllen = sizeof(control.space);
    if (recvmsg(reads, &h, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) != sizeof(*m))
        return false;
    const struct cmsghdr *c = CMSG_FIRSTHDR(&h);
    *with_fd = c != NULL;
    if (c) {
        memcpy(&fd, CMSG_DATA(c), sizeof(fd));
        assert_int_equal(close(fd), 0);
    }
    return true;
}

static void on_stop(struct loop_source *s, void *data) {
    (void)s;
    (void)data;
    loop_stop(&loop);
}

static void turn(void) {
    assert_int_equal(loop_set_timer(&loop, &stopper, 0, on_stop, NULL), 0);
    assert_int_equal(loop_run(&loop), 0);
}

static void what_comes_and_goes_is_told_at_once(void **state) {
    struct fdstore_msg m = {0};
    bool with_fd;

    (void)state;
    fds[7] = reads;
    keeper_change(&keeper, 7);
    fds[KEEPER_SYSLOG] = reads;
    keeper_change(&keeper, KEEPER_SYSLOG);
    fds[7] = -1;
    keeper_change(&keeper, 7);
    assert_true(next(&m, &with_fd) && m.op == FDSTORE_ADD && m.key == 7 && with_fd);
    assert_true(next(&m, &with_fd) && m.op == FDSTORE_ADD && m.key == keeper_key(KEEPER_SYSLOG) && with_fd);
    assert_true(next(&m, &with_fd) && m.op == FDSTORE_REMOVE && m.key == 7 && !with_fd);
    assert_false(next(&m, &with_fd));
    assert_true(told[7] == 2 && told[KEEPER_SYSLOG] == 1 && keeper.untold_len == 0 && told_error == 0);
}

static void a_keeper_that_is_stuck_is_told_later(void **state) {
    struct fdstore_msg m = {0};
    bool with_fd, has[INTAKE_SLOTS] = {false};
    unsigned messages = 0;

    (void)state;
    for (unsigned i = 0; i < INTAKE_SLOTS; i++) {
        fds[i] = keeper.sock;
        keeper_change(&keeper, i);
    }
    assert_true(keeper.untold_len > 500); /* its socket is full by now */
    turn();                               /* nothing that could be done: it must not be tried again and again */
    for (unsigned i = 0; i < INTAKE_SLOTS; i++)
        if (i % 2) { /* gone before it was told that they had come */
            fds[i] = -1;
            keeper_change(&keeper, i);
        }
    for (int quiet = 0; quiet < 2;) {
        while (next(&m, &with_fd)) {
            assert_true(m.key < INTAKE_SLOTS && with_fd == (m.op == FDSTORE_ADD));
            has[m.key] = with_fd;
            messages++;
        }
        turn();
        quiet = keeper.untold_len == 0 ? quiet + 1 : 0;
    }
    for (unsigned i = 0; i < INTAKE_SLOTS; i++)
        assert_true(told[i] > 0 && has[i] == (i % 2 == 0));
    assert_true(messages < 2 * INTAKE_SLOTS);
    assert_false(loop_has(&keeper.source));
}

static void one_that_is_gone_is_an_error(void **state) {
    (void)state;
    assert_int_equal(close(reads), 0);
    reads = -1;
    fds[3] = keeper.sock;
    keeper_change(&keeper, 3);
    assert_true(told[3] == 1 && keeper.untold_len == 0);
    assert_int_equal(told_error, -EPIPE);
}

static void without_one_everything_counts_as_told(void **state) {
    (void)state;
    int sock = keeper.sock;
    keeper.sock = -1;
    keeper_change(&keeper, 9);
    assert_true(told[9] == 1 && told_error == 0);
    keeper.sock = sock;
}

static void keys_go_both_ways(void **state) {
    (void)state;
    for (unsigned i = 0; i < KEEPER_PLACES; i++)
        assert_int_equal(keeper_place_of(keeper_key(i)), i);
    assert_int_equal(keeper_place_of(INTAKE_SLOTS), -1);
    assert_int_equal(keeper_place_of(keeper_key(KEEPER_PLACES)), -1);
    assert_int_equal(keeper_place_of(UINT32_MAX), -1);
}

int main(void) {
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(what_comes_and_goes_is_told_at_once),
        TEST(a_keeper_that_is_stuck_is_told_later),
        TEST(one_that_is_gone_is_an_error),
        TEST(without_one_everything_counts_as_told),
        TEST(keys_go_both_ways),
    };

    (void)alarm(HANGS_S);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
