/* SPDX-License-Identifier: Apache-2.0 */
/* A pipe stands for the console: full, it takes nothing, as a terminal does that was stopped. */
#include "init/relay.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/auto.h"
#include "lib/fdutil.h"

static struct loop loop;
static struct relay relay;
static int console[2], child;

static int begin(void **state) {
    (void)state;
    if (loop_init(&loop) < 0 || pipe2(console, O_CLOEXEC | O_NONBLOCK) < 0)
        return -1;
    (void)fcntl(console[1], F_SETPIPE_SZ, 4096);
    child = relay_start(&relay, &loop, console[1]);
    return child < 0 ? child : 0;
}

static int finish(void **state) {
    (void)state;
    loop_remove(&loop, &relay.in);
    loop_remove(&loop, &relay.out);
    loop_remove(&loop, &relay.patience);
    (void)close(relay.pipe_fd);
    (void)close(console[0]);
    (void)close(console[1]);
    (void)close(child);
    loop_fini(&loop);
    return 0;
}

static void stop(struct loop_source *s, void *data) {
    (void)s;
    (void)data;
    loop_stop(&loop);
}

/* Lets the relay do what it can do now, or within ms. */
static void turn(unsigned ms) {
    struct loop_source timer = LOOP_SOURCE_INIT;

    assert_int_equal(loop_set_timer(&loop, &timer, ms, stop, NULL), 0);
    assert_int_equal(loop_run(&loop), 0);
}

static void print(const char *text) {
    assert_int_equal(write_full(child, text, strlen(text)), 0);
}

/* What the console has taken since the last call. */
static size_t shown(char *out, size_t size) {
    ssize_t n = read(console[0], out, size - 1);

    out[n < 0 ? 0 : n] = '\0';
    return n < 0 ? 0 : (size_t)n;
}

static void what_is_printed_is_shown(void **state) {
    char out[128];
    (void)state;
    print("one\ntwo");
    turn(20);
    (void)shown(out, sizeof(out));
    assert_string_equal(out, "one\ntwo");
}

static void a_child_is_never_told_to_try_again(void **state) {
    (void)state;
    assert_false(fcntl(child, F_GETFL) & O_NONBLOCK);
    assert_true(fcntl(child, F_GETFD) & FD_CLOEXEC);
}

/* Slow, but not stopped: every byte comes, in order. */
static void a_slow_console_gets_everything(void **state) {
    char line[16], out[8192];
    size_t seen = 0, expected = 0;
    (void)state;
    for (int i = 0; i < 3000; i++) {
        (void)snprintf(line, sizeof(line), "%08d\n", i);
        print(line);
    }
    for (int i = 0; i < 40; i++) {
        turn(5);
        size_t n = shown(out, sizeof(out));
        for (size_t k = 0; k < n; k++, seen++)
            if (seen % 9 == 7)
                expected += (size_t)(out[k] - '0') == (seen / 9) % 10;
    }
    assert_int_equal(seen, 27000);
    assert_int_equal(expected, 3000);
    assert_int_equal(relay.lost, 0);
}

/* Stopped: after our patience nobody waits any more, and what was lost is said when it goes on. */
static void a_stopped_console_holds_nobody_up(void **state) {
    static char much[200000], out[8192];
    unsigned long long said = 0;
    size_t taken = 0;
    (void)state;
    memset(much, 'x', sizeof(much));
    assert_int_equal(fcntl(child, F_SETFL, O_NONBLOCK), 0); /* so that this test does not hang if the relay does */
    for (int i = 0; i < 200 && taken < sizeof(much); i++) {
        ssize_t n = write(child, much + taken, sizeof(much) - taken);
        taken += n > 0 ? (size_t)n : 0;
        turn(20);
    }
    assert_int_equal(taken, sizeof(much));
    turn(20);
    assert_true(relay.given_up);
    size_t before = shown(out, sizeof(out));
    assert_int_equal(before, 4096);
    turn(20);
    (void)shown(out, sizeof(out));
    assert_int_equal(sscanf(out, "\ninit: %llu bytes of output lost: this console took none\n", &said), 1);
    assert_int_equal(said, sizeof(much) - before);
    print("and on\n");
    turn(20);
    (void)shown(out, sizeof(out));
    assert_string_equal(out, "and on\n");
}

static void a_broken_console_is_not_waited_for(void **state) {
    (void)state;
    relay.console_fd = -1;
    print("nobody sees this\n");
    turn(20);
    assert_int_equal(relay.lost, 17);
    assert_false(loop_has(&relay.out));
}

static void what_is_left_is_shown_before_the_end(void **state) {
    char out[64];
    (void)state;
    print("the last words");
    relay_flush(&relay);
    (void)shown(out, sizeof(out));
    assert_string_equal(out, "the last words");
}

/* For the boot record: the end of what one step has printed, and nothing of the step before it. */
static void the_end_of_what_is_printed_is_kept(void **state) {
    char many[RELAY_TAIL + 50];
    (void)state;
    print("of another step\n");
    turn(20);
    assert_string_equal(relay.tail, "of another step\n");
    relay_forget(&relay);
    memset(many, '.', sizeof(many) - 1);
    many[sizeof(many) - 1] = '\0';
    print(many);
    turn(20);
    print("last\n");
    turn(20);
    assert_int_equal(strlen(relay.tail), RELAY_TAIL);
    assert_string_equal(relay.tail + RELAY_TAIL - 6, ".last\n");
}

#define T(name) cmocka_unit_test_setup_teardown(name, begin, finish)

int main(void) {
    const struct CMUnitTest tests[] = {
        T(what_is_printed_is_shown),           T(a_child_is_never_told_to_try_again),
        T(a_slow_console_gets_everything),     T(a_stopped_console_holds_nobody_up),
        T(a_broken_console_is_not_waited_for), T(what_is_left_is_shown_before_the_end),
        T(the_end_of_what_is_printed_is_kept),
    };
    (void)signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
