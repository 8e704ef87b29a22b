/* SPDX-License-Identifier: Apache-2.0 */
/* Includes its source: the tests of what a killed process leaves behind look into the shared memory. */
#include "memlogd/intake.c" /* NOLINT(bugprone-suspicious-include) */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define MAX_LINE 10
#define RING_BYTES (1 << 20)

static struct intake in;
static struct ring ring;
static char *area, *ring_area;

static int setup(void **state) {
    (void)state;
    area = calloc(1, intake_size(MAX_LINE));
    ring_area = calloc(1, RING_BYTES);
    if (!area || !ring_area)
        return -1;
    (void)ring_init(&ring, ring_area, RING_BYTES, 100000);
    intake_init(&in, area, MAX_LINE, &ring);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    free(area);
    free(ring_area);
    return 0;
}

static unsigned source(const char *name) {
    int slot = intake_prepare(&in, name, strlen(name));

    assert_true(slot >= 0);
    intake_take(&in, (unsigned)slot);
    return (unsigned)slot;
}

/* All lines from a position on, each with a | behind it. */
static const char *lines(uint64_t pos) {
    static char text[65536];
    struct ring_entry e;
    size_t n = 0;

    while (ring_read(&ring, &pos, &e)) {
        memcpy(text + n, e.msg, e.msg_len);
        n += e.msg_len;
        text[n++] = '|';
    }
    text[n] = '\0';
    return text;
}

static const char stream[] =
    "one\n\ntwo\r\n0123456789\n0123456789\r\n0123456789x\n\r\n01234567890123456789\r\n\rz\ntail";
static const char expected[] = "one||two|0123456789|0123456789|0123456789||0123456789|\rz|tail|";

static void lines_do_not_depend_on_the_chunks(void **state) {
    const size_t len = sizeof(stream) - 1;
    uint64_t cut_lines, cut_bytes;

    (void)state;
    for (size_t a = 0; a <= len; a++)
        for (size_t b = a; b <= len; b++) {
            uint64_t pos = ring_head(&ring);
            unsigned s = source("s");
            intake_feed(&in, s, stream, a, 1);
            intake_feed(&in, s, stream + a, b - a, 1);
            intake_feed(&in, s, stream + b, len - b, 1);
            intake_flush(&in, s, 1);
            assert_string_equal(lines(pos), expected);
            intake_take_cuts(&in, s, &cut_lines, &cut_bytes);
            assert_int_equal(cut_lines, 2);
            assert_true(cut_bytes == 1 + 10 || cut_bytes == 1 + 11); /* the \r of a line that is cut anyway */
            intake_end(&in, s);
        }
}

static void single_bytes_too(void **state) {
    (void)state;
    unsigned s = source("s");
    for (size_t i = 0; i < sizeof(stream) - 1; i++)
        intake_feed(&in, s, stream + i, 1, 1);
    intake_flush(&in, s, 1);
    assert_string_equal(lines(0), expected);
}

static void sources_do_not_mix(void **state) {
    struct ring_entry e;

    (void)state;
    unsigned a = source("a"), b = source("b\033;/");
    assert_int_not_equal(a, b);
    intake_feed(&in, a, "from ", 5, 1);
    intake_feed(&in, b, "x", 1, 1);
    intake_feed(&in, a, "a\n", 2, 1);
    intake_feed(&in, b, "y\n", 2, 1);
    assert_string_equal(lines(0), "from a|xy|");
    assert_true(ring_last(&ring, &e));
    assert_memory_equal(e.source, "b?;/", 4);
}

static void names_and_sources_have_bounds(void **state) {
    char name[RING_SOURCE_MAX + 100];

    (void)state;
    memset(name, 'n', sizeof(name));
    int first = intake_prepare(&in, name, sizeof(name));
    assert_true(first >= 0);
    assert_int_equal(strlen(intake_name(&in, (unsigned)first)), RING_SOURCE_MAX);
    for (unsigned i = 0; i < INTAKE_SLOTS; i++)
        (void)source("x");
    assert_int_equal(intake_prepare(&in, "y", 1), -ENOSPC);
    intake_end(&in, 5);
    assert_int_equal(intake_prepare(&in, "y", 1), 5);
    assert_false(intake_taken(&in, 5));
}

static void reading_ends_with_the_source(void **state) {
    int p[2];

    (void)state;
    unsigned s = source("s");
    assert_int_equal(pipe(p), 0);
    assert_int_equal(write(p[1], "a\nb", 3), 3);
    assert_int_equal(intake_read(&in, s, p[0], 1), 3);
    assert_int_equal(close(p[1]), 0);
    assert_int_equal(intake_read(&in, s, p[0], 1), 0);
    assert_string_equal(lines(0), "a|");
    assert_int_equal(intake_read(&in, s, -1, 1), -EBADF);
    assert_int_equal(close(p[0]), 0);
}

/* As a process that is killed leaves it: a read into staging, and the slot's state as of `pos`. */
static void leave(unsigned slot, enum staging_state state, const char *data, struct line_state line) {
    struct intake_shared *sh = in.shared;

    memset(sh->staging.data, 0, sizeof(sh->staging.data));
    memcpy(sh->staging.data, data, strlen(data));
    sh->staging.slot = slot;
    sh->staging.pos = 0;
    sh->staging.len = state == STAGING_FULL ? (uint32_t)strlen(data) : 77777;
    sh->staging.state = state;
    set_state(&sh->slots[slot], line);
    intake_init(&in, area, MAX_LINE, &ring);
}

static void a_kill_after_the_read_loses_nothing(void **state) {
    (void)state;
    unsigned s = source("s");
    leave(s, STAGING_FULL, "one\ntwo\nthr", (struct line_state){0});
    intake_recover(&in, 1);
    intake_feed(&in, s, "ee\n", 3, 1);
    assert_string_equal(lines(0), "one|two|three|");
    intake_recover(&in, 1); /* once is enough */
    assert_string_equal(lines(0), "one|two|three|");
}

static void a_kill_in_the_read_loses_nothing(void **state) {
    (void)state;
    unsigned s = source("s");
    leave(s, STAGING_READING, "one\ntw", (struct line_state){0});
    intake_recover(&in, 1);
    intake_feed(&in, s, "o\n", 2, 1);
    assert_string_equal(lines(0), "one|two|");
    leave(s, STAGING_READING, "", *state_of(&in.shared->slots[s])); /* nothing had come */
    intake_recover(&in, 1);
    assert_string_equal(lines(0), "one|two|");
}

static void a_kill_between_ring_and_state_doubles_nothing(void **state) {
    (void)state;
    unsigned s = source("s");
    intake_feed(&in, s, "one\n", 4, 1); /* in the ring; the state is set back to before it */
    leave(s, STAGING_FULL, "one\ntwo\nth", (struct line_state){0});
    intake_recover(&in, 1);
    intake_feed(&in, s, "ree\n", 4, 1);
    assert_string_equal(lines(0), "one|two|three|");
}

static void a_kill_in_the_middle_of_a_line(void **state) {
    (void)state;
    unsigned s = source("s");
    intake_feed(&in, s, "o", 1, 1); /* "o" is in partial; the rest was read, and is still in staging */
    leave(s, STAGING_FULL, "one\n", (struct line_state){.pos = 1, .len = 1});
    intake_recover(&in, 1);
    assert_string_equal(lines(0), "one|");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(lines_do_not_depend_on_the_chunks, setup, teardown),
        cmocka_unit_test_setup_teardown(single_bytes_too, setup, teardown),
        cmocka_unit_test_setup_teardown(sources_do_not_mix, setup, teardown),
        cmocka_unit_test_setup_teardown(names_and_sources_have_bounds, setup, teardown),
        cmocka_unit_test_setup_teardown(reading_ends_with_the_source, setup, teardown),
        cmocka_unit_test_setup_teardown(a_kill_after_the_read_loses_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(a_kill_in_the_read_loses_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(a_kill_between_ring_and_state_doubles_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(a_kill_in_the_middle_of_a_line, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
