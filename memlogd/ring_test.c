/* SPDX-License-Identifier: Apache-2.0 */
/* The ring beside a simple model: a list of all lines that were ever added. */
#include "memlogd/ring.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define AREA RING_BYTES_MIN
#define ALL_MAX 20000
#define RECORD_SLACK (2 * (RING_MSG_MAX + RING_SOURCE_MAX + 64))

struct line {
    int64_t time_ns;
    uint32_t msg_len;
    uint16_t source_len;
    unsigned char fill;
};

static struct line all[ALL_MAX];
static size_t added, evicted;
static _Alignas(8) char area[AREA];
static char text[RING_MSG_MAX];

static void on_evict(void *data, uint64_t pos, const struct ring_entry *e) {
    const struct line *l = &all[evicted++];

    assert_ptr_equal(data, &all);
    assert_true(pos % 8 == 0);
    assert_int_equal(e->seq, evicted);
    assert_int_equal(e->msg_len, l->msg_len);
}

static void open_ring(struct ring *r, uint32_t max_lines) {
    (void)ring_init(r, area, sizeof(area), max_lines);
    r->on_evict = on_evict;
    r->evict_data = &all;
}

static void start(struct ring *r, uint32_t max_lines) {
    memset(area, 0, sizeof(area));
    added = evicted = 0;
    open_ring(r, max_lines);
}

static void add(struct ring *r, uint32_t msg_len, uint16_t source_len) {
    struct line *l = &all[added++];

    *l = (struct line){(int64_t)added * 1000, msg_len, source_len, (unsigned char)('a' + added % 26)};
    memset(text, l->fill, sizeof(text));
    ring_append(r, &(struct ring_entry){.time_ns = l->time_ns,
                                        .stream_pos = added * 3,
                                        .slot = (uint16_t)(added % 7),
                                        .source_len = source_len,
                                        .msg_len = msg_len,
                                        .source = text,
                                        .msg = text});
}

/* The ring has exactly the newest lines: those that were not evicted. */
static void check(const struct ring *r, uint32_t max_lines) {
    struct ring_entry e;
    uint64_t pos = ring_tail(r), bytes = 0;
    size_t i = evicted;

    for (; ring_read(r, &pos, &e); i++) {
        const struct line *l = &all[i];
        assert_true(i < added);
        assert_int_equal(e.seq, i + 1);
        assert_int_equal(e.time_ns, l->time_ns);
        assert_int_equal(e.stream_pos, (i + 1) * 3);
        assert_int_equal(e.slot, (i + 1) % 7);
        assert_int_equal(e.msg_len, l->msg_len);
        assert_int_equal(e.source_len, l->source_len);
        memset(text, l->fill, sizeof(text));
        assert_memory_equal(e.msg, text, l->msg_len);
        assert_memory_equal(e.source, text, l->source_len);
        bytes += l->msg_len + l->source_len + 56u;
    }
    assert_int_equal(i, added);
    assert_int_equal(r->lines, added - evicted);
    assert_true(r->lines <= max_lines);
    assert_true(ring_head(r) - ring_tail(r) <= r->size);
    /* Nothing is thrown away for no reason. */
    assert_true(evicted == 0 || r->lines == max_lines || bytes + RECORD_SLACK > r->size);
}

static void lines_beyond_the_bound_push_out_the_oldest(void **state) {
    struct ring r;

    (void)state;
    start(&r, 3);
    for (int i = 0; i < 10; i++) {
        add(&r, 5, 2);
        check(&r, 3);
    }
    assert_int_equal(evicted, 7);
}

static void any_lengths_are_like_the_model(void **state) {
    (void)state;
    for (unsigned seed = 0; seed < 8; seed++) {
        struct ring r;
        uint32_t max_lines = seed % 2 ? 50 : 100000;
        start(&r, max_lines);
        srandom(seed);
        for (int i = 0; i < 2000; i++) {
            uint32_t limit = random() % 50 == 0 ? RING_MSG_MAX : seed < 4 ? 200 : 9;
            add(&r, (uint32_t)(random() % (limit + 1)),
                (uint16_t)(random() % (random() % 20 ? 12 : RING_SOURCE_MAX + 1)));
            if (i % 16 == 0)
                check(&r, max_lines);
        }
        check(&r, max_lines);
    }
}

static void another_process_finds_the_same_lines(void **state) {
    struct ring r;

    (void)state;
    start(&r, 100);
    assert_false(ring_init(&r, area, sizeof(area), 100));
    open_ring(&r, 100);
    for (int i = 0; i < 300; i++) {
        add(&r, (uint32_t)(i * 37 % 2000), 9);
        open_ring(&r, 100);
        check(&r, 100);
    }
    assert_true(ring_init(&r, area, sizeof(area), 100));
}

static void a_record_that_was_not_finished_does_not_count(void **state) {
    struct ring r;

    (void)state;
    start(&r, 100);
    add(&r, 10, 3);
    memset(r.data + ring_head(&r), 0xff, 1000); /* written, but head was not moved */
    open_ring(&r, 100);
    check(&r, 100);
    add(&r, 10, 3);
    check(&r, 100);
}

static void a_damaged_ring_is_emptied(void **state) {
    struct ring r;

    (void)state;
    for (size_t at = 0; at < 400; at++) {
        start(&r, 100);
        for (int i = 0; i < 5; i++)
            add(&r, 30, 3);
        area[at] = (char)(area[at] ^ 0x55);
        (void)ring_init(&r, area, sizeof(area), 100);
        struct ring_entry e;
        uint64_t pos = ring_tail(&r);
        while (ring_read(&r, &pos, &e))
            assert_true(e.msg_len <= RING_MSG_MAX && e.source_len <= RING_SOURCE_MAX);
    }
}

static void times_increase_until_the_clock_is_set_back(void **state) {
    struct ring r;
    struct ring_entry e = {.time_ns = 5000000000, .source = "s", .source_len = 1, .msg = "m", .msg_len = 1};

    (void)state;
    start(&r, 100);
    ring_append(&r, &e);
    ring_append(&r, &e);
    e.time_ns -= 500000000; /* a little back */
    ring_append(&r, &e);
    assert_int_equal(r.last_time, 5000000004);
    e.time_ns = 1000000000; /* set */
    ring_append(&r, &e);
    assert_int_equal(r.last_time, 1000000000);
}

static void the_newest_lines_can_be_asked_for(void **state) {
    struct ring r;
    struct ring_entry e;

    (void)state;
    start(&r, 100);
    assert_false(ring_last(&r, &e));
    for (int i = 0; i < 7; i++)
        add(&r, 5, 2);
    uint64_t pos = ring_newest(&r, 3);
    assert_true(ring_read(&r, &pos, &e));
    assert_int_equal(e.seq, 5);
    assert_int_equal(ring_newest(&r, 8), ring_tail(&r));
    assert_int_equal(ring_newest(&r, 0), ring_head(&r));
    assert_true(ring_last(&r, &e));
    assert_int_equal(e.seq, 7);
}

static void another_size_has_the_newest_lines(void **state) {
    static _Alignas(8) char other_area[2 * AREA];
    struct ring from, to;

    (void)state;
    for (unsigned max_lines = 1; max_lines < 400; max_lines += 37)
        for (size_t size = AREA; size <= 2 * AREA; size += AREA / 2 + 8) {
            start(&from, 300);
            from.on_evict = NULL;
            for (int i = 0; i < 500; i++)
                add(&from, (uint32_t)(i * 37 % 500), 9);
            memset(other_area, 0, sizeof(other_area));
            (void)ring_init(&to, other_area, size, max_lines);
            ring_copy(&to, &from);
            assert_int_equal(to.id, from.id);
            assert_int_equal(to.next_seq, from.next_seq);
            evicted = added - to.lines;
            assert_true(to.lines == max_lines || to.lines == from.lines || to.lines > 50);
            check(&to, max_lines);
            (void)ring_init(&to, other_area, size, max_lines); /* and so it stays */
            assert_int_equal(to.id, from.id);
            check(&to, max_lines);
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_beyond_the_bound_push_out_the_oldest),
        cmocka_unit_test(any_lengths_are_like_the_model),
        cmocka_unit_test(another_process_finds_the_same_lines),
        cmocka_unit_test(a_record_that_was_not_finished_does_not_count),
        cmocka_unit_test(a_damaged_ring_is_emptied),
        cmocka_unit_test(times_increase_until_the_clock_is_set_back),
        cmocka_unit_test(the_newest_lines_can_be_asked_for),
        cmocka_unit_test(another_size_has_the_newest_lines),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
