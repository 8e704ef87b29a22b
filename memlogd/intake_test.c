/* SPDX-License-Identifier: Apache-2.0 */
/* Includes its source: the tests of what a killed process leaves behind look into the shared memory. */
#include "memlogd/intake.c" /* NOLINT(bugprone-suspicious-include) */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/auto.h"

#define MAX_LINE 10
#define RING_BYTES (1 << 20)

static struct intake in;
static struct ring ring;
static char *area, *ring_area;

static int setup(void **state) {
    (void)state;
    AUTO_CLOSE int fd = memfd_create("intake_test", MFD_CLOEXEC);
    if (fd < 0 || ftruncate(fd, (off_t)intake_size(MAX_LINE)) < 0)
        return -1;
    area = mmap(NULL, intake_size(MAX_LINE), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    ring_area = calloc(1, RING_BYTES);
    if (area == MAP_FAILED || !ring_area)
        return -1;
    (void)ring_init(&ring, ring_area, RING_BYTES, 100000);
    intake_init(&in, area, MAX_LINE, &ring);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    free(ring_area);
    if (munmap(area, intake_size(MAX_LINE)) < 0)
        return -1;
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
    struct intake_cuts cuts;

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
            assert_true(intake_take_cuts(&in, s, &cuts));
            assert_int_equal(cuts.lines, 2);
            assert_true(cuts.bytes == 1 + 10 || cuts.bytes == 1 + 11); /* the \r of a line that is cut anyway */
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
    assert_int_equal(intake_read(&in, s, RECEIVE_PIPE, p[0], 1), 3);
    assert_int_equal(intake_read(&in, s, RECEIVE_PIPE, p[0], 1), -EAGAIN);
    assert_int_equal(close(p[1]), 0);
    assert_int_equal(intake_read(&in, s, RECEIVE_PIPE, p[0], 1), 0);
    assert_string_equal(lines(0), "a|");
    assert_int_equal(intake_read(&in, s, RECEIVE_PIPE, -1, 1), -EBADF);
    assert_int_equal(close(p[0]), 0);
}

/* As a process that is killed leaves it: a read into staging, and the slot's state as of `pos`. */
static void leave(unsigned slot, enum staging_state state, const char *data, struct line_state line) {
    struct intake_shared *sh = in.shared;

    memset(sh->staging.data, 0, sizeof(sh->staging.data));
    memcpy(sh->staging.data, data, strlen(data));
    sh->staging.slot = slot;
    sh->staging.pos = 0;
    sh->staging.size = 4096;
    sh->staging.lost = 0;
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

/* All lines with their sources: SOURCE=LINE| */
static const char *lines_of_all(void) {
    static char text[4096];
    struct ring_entry e;
    uint64_t pos = ring_tail(&ring);
    size_t n = 0;

    text[0] = '\0';
    while (ring_read(&ring, &pos, &e))
        n += (size_t)snprintf(text + n, sizeof(text) - n, "%.*s=%.*s|", (int)e.source_len, e.source, (int)e.msg_len,
                              e.msg);
    return text;
}

static void a_datagram_is_lines_of_its_program(void **state) {
    int p[2];
    struct intake_cuts cuts;
    static char line[100000];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM, 0, p), 0);
    assert_int_equal(intake_receive(&in, p[0], 1), -EAGAIN);
    const char *two_lines = "<14>app[1]: one\ntwo\r\n\n";
    assert_int_equal(send(p[1], two_lines, strlen(two_lines), 0), strlen(two_lines));
    assert_int_equal(send(p[1], "who?", 4, 0), 4);
    assert_int_equal(send(p[1], "", 0, 0), 0);
    for (int i = 0; i < 3; i++)
        assert_true(intake_receive(&in, p[0], 1) >= 0);
    assert_string_equal(lines_of_all(), "app=one|app=two|syslog=who?|");
    memset(line, 'b', sizeof(line));
    memcpy(line, "big: ", 5);
    assert_int_equal(send(p[1], line, sizeof(line), 0), sizeof(line));
    assert_int_equal(intake_receive(&in, p[0], 1), sizeof(line));
    assert_string_equal(lines_of_all(), "app=one|app=two|syslog=who?|big=bbbbbbbbbb|");
    /* Counted for whom it belongs to, once. */
    assert_false(intake_take_cuts(&in, INTAKE_SYSLOG, &cuts));
    assert_false(intake_take_cuts(&in, INTAKE_SYSLOG + 1, &cuts)); /* app */
    assert_true(intake_take_cuts(&in, INTAKE_SYSLOG + 2, &cuts));
    assert_memory_equal(cuts.name, "big", 3);
    assert_int_equal(cuts.lines, 1);
    assert_int_equal(cuts.bytes, sizeof(line) - 5 - MAX_LINE);
    assert_false(intake_take_cuts(&in, INTAKE_SYSLOG + 2, &cuts));
    assert_false(intake_take_cuts(&in, INTAKE_SYSLOG + 3, &cuts));
    assert_int_equal(close(p[0]) | close(p[1]), 0);
}

/* As recv(2) leaves it when there was more than staging holds. */
static void stage_in_part(unsigned slot, const char *data, uint32_t lost) {
    struct intake_shared *sh = in.shared;

    leave(slot, STAGING_FULL, data, *state_of(&sh->slots[slot]));
    sh->staging.pos = state_of(&sh->slots[slot])->pos;
    sh->staging.lost = lost;
    feed_staged(&in, 0, 1);
    sh->staging.state = STAGING_IDLE;
}

static void what_a_datagram_has_too_much_is_cut_off_its_last_line(void **state) {
    struct intake_cuts cuts;

    (void)state;
    unsigned s = source("s");
    stage_in_part(s, "one\ntw", 100);
    intake_feed(&in, s, "!\nend\n", 6, 1);
    assert_string_equal(lines_of_all(), "s=one|s=tw!|s=end|");
    assert_true(intake_take_cuts(&in, s, &cuts));
    assert_int_equal(cuts.lines, 1);
    assert_int_equal(cuts.bytes, 100);
    stage_in_part(INTAKE_SYSLOG, "app: 0123456789ab", 7);
    assert_true(intake_take_cuts(&in, INTAKE_SYSLOG + 1, &cuts));
    assert_int_equal(cuts.lines, 1);
    assert_int_equal(cuts.bytes, 2 + 7);
}

/* Lines are lines, whatever packets they come in; an empty one is not the end, which the caller tells by its events. */
static void datagrams_are_read_whole(void **state) {
    static char many[150000];
    int p[2], room = 1 << 20;
    struct ring_entry e;

    (void)state;
    unsigned s = source("s");
    assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM, 0, p), 0);
    assert_int_equal(receive_kind(p[0]), RECEIVE_DATAGRAMS);
    (void)setsockopt(p[1], SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
    for (size_t i = 0; i < sizeof(many); i += 5)
        memcpy(many + i, "line\n", 5);
    assert_int_equal(send(p[1], many, sizeof(many), 0), sizeof(many));
    assert_int_equal(send(p[1], "", 0, 0), 0);
    assert_int_equal(send(p[1], "tw", 2, 0), 2);
    assert_int_equal(send(p[1], "o\n", 2, 0), 2);
    const ssize_t want[] = {sizeof(many), 0, 2, 2, -EAGAIN};
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(intake_read(&in, s, RECEIVE_DATAGRAMS, p[0], 1), want[i]);
    assert_int_equal(ring.next_seq, 1 + sizeof(many) / 5 + 1);
    assert_true(ring_last(&ring, &e));
    assert_memory_equal(e.msg, "two", 3);
    assert_int_equal(close(p[0]) | close(p[1]), 0);
}

static unsigned resident_pages(void) {
    static unsigned char pages[(sizeof(struct intake_shared) + INTAKE_SLOTS * (MAX_LINE + 1)) / 4096 + 2];
    size_t len = intake_size(MAX_LINE);
    unsigned n = 0;

    assert_int_equal(mincore(area, len, pages), 0);
    for (size_t i = 0; i < (len + 4095) / 4096; i++)
        n += pages[i] & 1u;
    return n;
}

static void memory_is_given_back_when_lines_have_ended(void **state) {
    (void)state;
    unsigned first = source("first");
    for (int i = 0; i < 999; i++)
        (void)source("x");
    unsigned last = source("last");
    in.touched = true; /* so that the first one, too, looks at everything */
    intake_trim(&in);
    unsigned before = resident_pages();
    intake_feed(&in, first, "one", 3, 1);
    intake_feed(&in, last, "two", 3, 1);
    assert_int_equal(resident_pages(), before + 2);
    intake_trim(&in);
    assert_int_equal(resident_pages(), before + 2);
    intake_feed(&in, first, "!\n", 2, 1);
    intake_trim(&in);
    assert_int_equal(resident_pages(), before + 1);
    intake_feed(&in, last, "!\n", 2, 1);
    assert_string_equal(lines(0), "one!|two!|");
    intake_trim(&in);
    assert_int_equal(resident_pages(), before);
    assert_false(in.touched);
}

static void a_kill_in_a_datagram_loses_and_doubles_nothing(void **state) {
    (void)state;
    leave(INTAKE_SYSLOG, STAGING_READING, "app: one\ntwo\nend", (struct line_state){0});
    intake_recover(&in, 1);
    assert_string_equal(lines_of_all(), "app=one|app=two|app=end|");
    const uint64_t pos = state_of(&in.shared->slots[INTAKE_SYSLOG])->pos;
    assert_int_equal(pos, 16);
    /* The first line of the next one is in the ring, its state is not. */
    feed_syslog(&in, "app: x\n", 7, 0, 0, 1);
    leave(INTAKE_SYSLOG, STAGING_FULL, "app: x\ny", (struct line_state){.pos = pos});
    in.shared->staging.pos = pos;
    intake_recover(&in, 1);
    assert_string_equal(lines_of_all(), "app=one|app=two|app=end|app=x|app=y|");
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
        cmocka_unit_test_setup_teardown(a_datagram_is_lines_of_its_program, setup, teardown),
        cmocka_unit_test_setup_teardown(what_a_datagram_has_too_much_is_cut_off_its_last_line, setup, teardown),
        cmocka_unit_test_setup_teardown(datagrams_are_read_whole, setup, teardown),
        cmocka_unit_test_setup_teardown(memory_is_given_back_when_lines_have_ended, setup, teardown),
        cmocka_unit_test_setup_teardown(a_kill_in_a_datagram_loses_and_doubles_nothing, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
