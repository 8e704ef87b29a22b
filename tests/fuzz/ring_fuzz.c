/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Four bytes an operation on the ring: add a line, open it anew as another process does, look for a line; and damage
 * it, after which it may have forgotten everything but must be sound.
 */
#include "tests/fuzz/fuzz.h"

#include <string.h>

#include "memlogd/ring.h"

#define MAX_LINES 40

struct seen {
    uint64_t evicted; /* the number of the line that went last */
};

static void on_evict(void *data, uint64_t pos, const struct ring_entry *e) {
    struct seen *s = data;

    FUZZ_CHECK(pos % 8 == 0 && e->seq == s->evicted + 1);
    s->evicted = e->seq;
}

/* Numbers without a gap, lengths within bounds; text as `add` made it, unless it was damaged. */
static void check(const struct ring *r, bool damaged) {
    struct ring_entry e;
    uint64_t pos = ring_tail(r), n = 0, bytes = 0;

    FUZZ_CHECK((r->lines <= MAX_LINES || damaged) && ring_head(r) - ring_tail(r) <= r->size);
    for (; ring_read(r, &pos, &e); n++) {
        FUZZ_CHECK(e.source_len <= RING_SOURCE_MAX && e.msg_len <= RING_MSG_MAX);
        bytes += e.source_len + e.msg_len;
        FUZZ_CHECK(e.seq == r->next_seq - r->lines + n);
        for (uint32_t i = 0; i < e.msg_len && !damaged; i += 97)
            FUZZ_CHECK((unsigned char)e.msg[i] == (unsigned char)e.msg_len);
    }
    FUZZ_CHECK(n == r->lines && bytes <= r->size && pos == ring_head(r));
}

static void add(struct ring *r, uint32_t len, uint16_t source_len) {
    static char text[RING_MSG_MAX];

    memset(text, (int)(len & 0xff), sizeof(text));
    ring_append(
        r, &(struct ring_entry){.time_ns = 1, .source_len = source_len, .msg_len = len, .source = text, .msg = text});
}

static void find(const struct ring *r, uint64_t seq) {
    struct ring_entry e;
    uint64_t pos;
    bool there = seq >= r->next_seq - r->lines && seq < r->next_seq;

    FUZZ_CHECK(ring_find(r, seq, &pos) == (there || seq == r->next_seq));
    FUZZ_CHECK(!there || (ring_read(r, &pos, &e) && e.seq == seq));
}

/* Into a ring of another size and back: the newest lines are still there, under their numbers. */
static void copy(struct ring *r, uint32_t size) {
    static _Alignas(8) char other_area[3 * RING_BYTES_MIN];
    struct ring other;
    const uint64_t lines = r->lines, next_seq = r->next_seq, id = r->id;

    memset(other_area, 0, sizeof(other_area));
    FUZZ_CHECK(!ring_init(&other, other_area, RING_BYTES_MIN + size % (2 * RING_BYTES_MIN), MAX_LINES));
    ring_copy(&other, r);
    FUZZ_CHECK(other.lines <= lines && other.next_seq == next_seq && other.id == id);
    FUZZ_CHECK(other.lines == lines || lines > 3);
    check(&other, false);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static _Alignas(8) char area[RING_BYTES_MIN];
    static struct seen seen;
    struct ring r;
    bool damaged = false;

    memset(area, 0, sizeof(area));
    seen = (struct seen){0};
    FUZZ_CHECK(!ring_init(&r, area, sizeof(area), MAX_LINES));
    for (; size >= 4; data += 4, size -= 4) {
        uint32_t value = (uint32_t)data[1] << 8 | data[2];
        if (data[0] < 200)
            add(&r, value % (RING_MSG_MAX + 1), data[3]);
        else if (data[0] < 220)
            find(&r, r.next_seq - value % 64);
        else if (data[0] < 225 && !damaged)
            copy(&r, value * 3);
        else if (data[0] < 250 || damaged)
            (void)ring_init(&r, area, sizeof(area), MAX_LINES);
        else {
            area[value] = (char)(area[value] ^ data[3]);
            damaged = true; /* what is found from now on is only sound */
            (void)ring_init(&r, area, sizeof(area), MAX_LINES);
        }
        r.on_evict = damaged ? NULL : on_evict;
        r.evict_data = &seen;
        check(&r, damaged);
    }
    return 0;
}
