/* SPDX-License-Identifier: Apache-2.0 */
/* One life after another, with the same memory and other options. */
#include "memlogd/state.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#define LINES 500

static const struct memlogd_config usual = {.max_lines = 1000, .max_line_len = 100, .max_bytes = 256 << 10};
static int fd;
static struct ring ring;
static struct intake intake;
static struct state_found found;

static void live(struct memlogd_config c) {
    struct err e = {0};

    if (state_open(&fd, &c, &ring, &intake, 1, &found, &e) < 0)
        fail_msg("%s", e.msg);
}

/* A first life with LINES lines of source "s", and one that has begun. */
static int setup(void **state) {
    (void)state;
    fd = -1;
    live(usual);
    int slot = intake_prepare(&intake, "s", 1);
    if (slot != 0 || found.lines || found.changed || found.unknown)
        return -1;
    intake_take(&intake, 0);
    for (int i = 0; i < LINES; i++) {
        char text[64];
        int n = snprintf(text, sizeof(text), "%d %.*s\n", i, i % 40, "****************************************");
        intake_feed(&intake, 0, text, (size_t)n, 1000 * i);
    }
    intake_feed(&intake, 0, "begun, and ", 11, 1);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    return close(fd);
}

/* The lines are there from number `first` on, as they were; and the one that had begun goes on. */
static void assert_kept(uint64_t ring_id, unsigned first, const char *last) {
    struct ring_entry e;
    uint64_t pos = ring_tail(&ring);

    assert_true(found.lines && !found.unknown);
    assert_int_equal(ring.id, ring_id);
    for (unsigned i = first; i < LINES; i++) {
        char text[64];
        assert_true(ring_read(&ring, &pos, &e));
        int n = snprintf(text, sizeof(text), "%u %.*s", i, (int)(i % 40), "****************************************");
        assert_int_equal(e.seq, i + 1);
        assert_int_equal(e.time_ns, i == 0 ? 2 : 1000 * i);
        assert_int_equal(e.msg_len, n);
        assert_memory_equal(e.msg, text, e.msg_len);
    }
    assert_false(ring_read(&ring, &pos, &e));
    assert_true(intake_taken(&intake, 0));
    assert_string_equal(intake_name(&intake, 0), "s");
    intake_feed(&intake, 0, "ended\n", 6, 1 << 30);
    assert_true(ring_last(&ring, &e));
    assert_int_equal(e.seq, LINES + 1);
    assert_int_equal(e.msg_len, strlen(last));
    assert_memory_equal(e.msg, last, e.msg_len);
}

static void the_same_options(void **state) {
    int before = fd;
    uint64_t id = ring.id;

    (void)state;
    live(usual);
    assert_int_equal(fd, before);
    assert_false(found.changed);
    assert_kept(id, 0, "begun, and ended");
}

static void other_bounds_keep_the_lines(void **state) {
    static const struct memlogd_config others[] = {
        {.max_lines = 1000, .max_line_len = 2000, .max_bytes = 256 << 10},
        {.max_lines = 1000, .max_line_len = 50, .max_bytes = 256 << 10},
        {.max_lines = 2000, .max_line_len = 100, .max_bytes = 4 << 20},
        {.max_lines = LINES + 1, .max_line_len = 100, .max_bytes = 128 << 10},
    };
    uint64_t id = ring.id;

    (void)state;
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        live(others[i]);
        assert_true(found.changed);
        assert_int_equal(found.too_many, 0);
    }
    assert_kept(id, 0, "begun, and ended");
}

static void less_room_keeps_the_newest_and_says_so(void **state) {
    uint64_t id = ring.id;

    (void)state;
    live((struct memlogd_config){.max_lines = 100, .max_line_len = 101, .max_bytes = 256 << 10});
    assert_true(found.changed);
    assert_int_equal(found.too_many, LINES - 100);
    assert_kept(id, LINES - 100, "begun, and ended");
}

static void a_line_that_has_begun_is_cut_and_counted(void **state) {
    struct intake_cuts cuts;

    (void)state;
    live((struct memlogd_config){.max_lines = 1000, .max_line_len = 5, .max_bytes = 256 << 10});
    assert_kept(ring.id, 0, "begun");
    assert_true(intake_take_cuts(&intake, 0, &cuts));
    assert_int_equal(cuts.lines, 1);
    assert_int_equal(cuts.bytes, strlen("begun, and ended") - 5);
}

/* What was read, but not looked at when the process ended, becomes lines before it is taken over. */
static void what_was_read_is_taken_over(void **state) {
    int p[2];
    struct ring_entry e;

    (void)state;
    assert_int_equal(pipe(p), 0);
    assert_int_equal(write(p[1], "ended\nnext\n", 11), 11);
    assert_int_equal(intake_read(&intake, 0, RECEIVE_PIPE, p[0], 1 << 30), 11);
    live((struct memlogd_config){.max_lines = 1000, .max_line_len = 200, .max_bytes = 1 << 20});
    assert_true(ring_last(&ring, &e));
    assert_int_equal(e.seq, LINES + 2);
    assert_memory_equal(e.msg, "next", 4);
    assert_int_equal(close(p[0]) | close(p[1]), 0);
}

static void what_is_no_state_is_told(void **state) {
    const char nonsense[64] = "nonsense";

    (void)state;
    assert_int_equal(pwrite(fd, nonsense, sizeof(nonsense), 0), sizeof(nonsense));
    live(usual);
    assert_true(found.unknown && !found.lines && !found.changed);
    assert_int_equal(ring.lines, 0);
    assert_int_equal(ftruncate(fd, 4096), 0);
    live(usual);
    assert_true(found.unknown);
    live(usual);
    assert_false(found.unknown);
}

int main(void) {
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(the_same_options),
        TEST(other_bounds_keep_the_lines),
        TEST(less_room_keeps_the_newest_and_says_so),
        TEST(a_line_that_has_begun_is_cut_and_counted),
        TEST(what_was_read_is_taken_over),
        TEST(what_is_no_state_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
