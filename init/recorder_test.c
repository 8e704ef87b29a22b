/* SPDX-License-Identifier: Apache-2.0 */
/* The clock, its timers, the memory and the worker are made up. */
#include "init/recorder.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "init/console.h"
#include "init/meminfo.h"
#include "init/report.h"
#include "lib/log.h"
#include "lib/spawn.h"

#define WORKER 4711
#define STARTED_MAX 4

static struct loop loop;
static struct recorder rec;
static uint64_t now_s, available_kib;
static char started[STARTED_MAX][16]; /* the states that workers were started for */
static size_t started_len;
static bool cannot_spawn;
static loop_timer_fn *due;

uint64_t __wrap_clock_ms(void);
uint64_t __wrap_clock_ms(void) {
    return now_s * 1000;
}

int __wrap_loop_set_timer(struct loop *l, struct loop_source *s, uint64_t ms, loop_timer_fn *fn, void *data);
int __wrap_loop_set_timer(struct loop *l, struct loop_source *s, uint64_t ms, loop_timer_fn *fn, void *data) {
    (void)l;
    (void)ms;
    assert_ptr_equal(s, &rec.tick);
    assert_ptr_equal(data, &rec);
    due = fn;
    return 0;
}

void __wrap_loop_remove(struct loop *l, struct loop_source *s);
void __wrap_loop_remove(struct loop *l, struct loop_source *s) {
    (void)l;
    if (s == &rec.tick)
        due = NULL;
}

int __wrap_spawn(const struct spawn *s, pid_t *pid, int *pidfd, struct err *e);
int __wrap_spawn(const struct spawn *s, pid_t *pid, int *pidfd, struct err *e) {
    assert_null(pidfd); /* PID 1 reaps it */
    assert_string_equal(s->argv[0], RECORD_PROGRAM);
    if (cannot_spawn)
        return err_errno(e, -ENOMEM, "could not run %s", s->argv[0]);
    assert_true(started_len < STARTED_MAX);
    (void)snprintf(started[started_len++], sizeof(started[0]), "%s", s->argv[1 + RECORD_STATE]);
    *pid = WORKER;
    return 0;
}

int meminfo_read(struct meminfo *m) {
    *m = (struct meminfo){.total_kib = 1000, .available_kib = available_kib};
    return available_kib ? 0 : -1;
}

unsigned long console_lost(void) {
    return 7;
}

const char *steps_current(const struct steps *s) {
    (void)s;
    return "010-onboot";
}

static unsigned complaints;

void report_failed(const char *verb, const char *what) {
    (void)verb;
    assert_string_equal(what, "/proc/meminfo");
    complaints++;
}

static void tick_at(uint64_t seconds) {
    now_s = seconds;
    assert_non_null(due);
    due(&rec.tick, &rec);
}

static void start(unsigned first_s) {
    recorder_start(&rec, &loop, NULL, NULL, first_s);
}

static void expect_started(const char *last, size_t len) {
    assert_int_equal(started_len, len);
    if (len)
        assert_string_equal(started[len - 1], last);
}

static int begin(void **state) {
    (void)state;
    log_set_fd(-1);
    now_s = 1;
    available_kib = 500;
    started_len = complaints = 0;
    cannot_spawn = false;
    due = NULL;
    return loop_init(&loop);
}

static int finish(void **state) {
    (void)state;
    recorder_stop(&rec);
    loop_fini(&loop);
    log_set_fd(STDERR_FILENO);
    return 0;
}

static void the_least_memory_is_kept(void **state) {
    (void)state;
    start(0);
    available_kib = 300;
    tick_at(2);
    available_kib = 400;
    tick_at(3);
    assert_int_equal(rec.least_kib, 300);
    available_kib = 0; /* cannot be read: said once, and kept out of it */
    tick_at(4);
    tick_at(5);
    assert_int_equal(rec.least_kib, 300);
    assert_int_equal(complaints, 1);
    available_kib = 200;
    recorder_stop(&rec); /* which looks a last time */
    assert_int_equal(rec.least_kib, 200);
}

static void a_long_boot_is_told_at_doubling_times(void **state) {
    (void)state;
    start(30);
    tick_at(29);
    expect_started("", 0);
    tick_at(30);
    expect_started("booting", 1);
    tick_at(59);
    assert_true(recorder_reaped(&rec, WORKER));
    tick_at(59);
    expect_started("booting", 1);
    tick_at(60);
    expect_started("booting", 2);
    tick_at(120); /* the one before has not ended: one at a time, and this one is late */
    expect_started("booting", 2);
    assert_true(recorder_reaped(&rec, WORKER));
    tick_at(121);
    expect_started("booting", 3);
}

static void without_a_first_time_a_long_boot_is_not_told(void **state) {
    (void)state;
    start(0);
    tick_at(100000);
    expect_started("", 0);
}

static void being_up_is_told_once(void **state) {
    (void)state;
    start(30);
    recorder_up(&rec);
    expect_started("up", 1);
    assert_null(due);
    assert_false(recorder_reaped(&rec, WORKER + 1));
    assert_true(recorder_reaped(&rec, WORKER));
    assert_false(recorder_reaped(&rec, WORKER));
    recorder_up(&rec);
    expect_started("up", 1);
}

static void up_comes_after_the_worker_that_says_booting(void **state) {
    (void)state;
    start(30);
    tick_at(30);
    recorder_up(&rec);
    expect_started("booting", 1);
    assert_true(recorder_reaped(&rec, WORKER));
    expect_started("up", 2);
    assert_true(recorder_reaped(&rec, WORKER));
    expect_started("up", 2);
}

static void nothing_is_told_of_a_machine_that_goes_down(void **state) {
    (void)state;
    start(30);
    tick_at(30);
    recorder_up(&rec);
    recorder_stop(&rec); /* before the worker has ended */
    assert_true(recorder_reaped(&rec, WORKER));
    recorder_up(&rec);
    expect_started("booting", 1);
}

static void a_worker_that_cannot_be_started_is_tried_again_at_the_next_time(void **state) {
    (void)state;
    start(30);
    cannot_spawn = true;
    tick_at(30);
    assert_int_equal(rec.pid, 0);
    cannot_spawn = false;
    tick_at(31);
    expect_started("", 0);
    tick_at(60);
    expect_started("booting", 1);
}

static void the_words_are_those_that_the_worker_knows(void **state) {
    const struct relay relay = {.lost_ever = 12};
    (void)state;
    recorder_start(&rec, &loop, &relay, (const struct steps *)(uintptr_t)&relay, 0);
    const char *const *argv = recorder_argv(&rec, "name", "down", "reboot");
    const char *const expected[] = {"name", "down", "reboot", "010-onboot", "500", "7", "12"};
    for (size_t i = 0; i < ARRAY_SIZE(expected); i++)
        assert_string_equal(argv[i], expected[i]);
    assert_int_equal(ARRAY_SIZE(expected), 1 + RECORD_WORDS);
    assert_null(argv[1 + RECORD_WORDS]);
    rec.steps = NULL;
    assert_string_equal(recorder_argv(&rec, "name", "down", "")[1 + RECORD_RUNNING], "");
}

#define T(name) cmocka_unit_test_setup_teardown(name, begin, finish)

int main(void) {
    const struct CMUnitTest tests[] = {
        T(the_least_memory_is_kept),
        T(a_long_boot_is_told_at_doubling_times),
        T(without_a_first_time_a_long_boot_is_not_told),
        T(being_up_is_told_once),
        T(up_comes_after_the_worker_that_says_booting),
        T(nothing_is_told_of_a_machine_that_goes_down),
        T(a_worker_that_cannot_be_started_is_tried_again_at_the_next_time),
        T(the_words_are_those_that_the_worker_knows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
