/* SPDX-License-Identifier: Apache-2.0 */
#include "memlogd/ring.h"

#include <stdatomic.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#ifndef GRND_INSECURE
#define GRND_INSECURE 4 /* does not wait for a machine that has just started */
#endif

#define RING_MAGIC 0x6b6c72696e673031u
#define STEP_BACK_NS 1000000000
#define TIME_MAX (INT64_MAX - 2 * (int64_t)STEP_BACK_NS) /* either side of 1970; no clock says more */
#define ALIGN 8u

struct ring_shared {
    uint64_t magic, size, id;
    _Atomic uint64_t head, tail;
};

/* A record's first 8 bytes are there for a filler too: what is left at the area's end when a line does not fit. */
struct record {
    uint32_t size; /* of all of it, a multiple of ALIGN */
    uint16_t filler;
    uint16_t slot;
    uint64_t seq;
    int64_t time_ns;
    uint64_t stream_pos;
    uint32_t msg_len;
    uint16_t source_len;
    uint16_t unused;
    /* the source's name, the line */
};

#define FILLER_SIZE 8u
_Static_assert(sizeof(struct record) % ALIGN == 0, "records are aligned");

static uint32_t record_size(uint32_t source_len, uint32_t msg_len) {
    return ((uint32_t)sizeof(struct record) + source_len + msg_len + ALIGN - 1) / ALIGN * ALIGN;
}

static char *at(const struct ring *r, uint64_t pos) {
    return r->data + pos % r->size;
}

uint64_t ring_tail(const struct ring *r) {
    return atomic_load_explicit(&r->shared->tail, memory_order_relaxed);
}

uint64_t ring_head(const struct ring *r) {
    return atomic_load_explicit(&r->shared->head, memory_order_relaxed);
}

/* Is there a whole record, or filler, at pos? */
static bool record_ok(const struct ring *r, uint64_t pos) {
    struct record h = {0};
    uint64_t room = r->size - pos % r->size;

    if (ring_head(r) - pos < FILLER_SIZE || room < FILLER_SIZE)
        return false;
    memcpy(&h, at(r, pos), FILLER_SIZE);
    if (h.size < FILLER_SIZE || h.size % ALIGN || h.size > room || h.size > ring_head(r) - pos)
        return false;
    if (h.filler)
        return true;
    if (h.size < sizeof(h))
        return false;
    memcpy(&h, at(r, pos), sizeof(h));
    return h.source_len <= RING_SOURCE_MAX && h.msg_len <= RING_MSG_MAX &&
           record_size(h.source_len, h.msg_len) == h.size;
}

static void fill_entry(const struct ring *r, uint64_t pos, const struct record *h, struct ring_entry *e) {
    const char *text = at(r, pos) + sizeof(*h);

    *e = (struct ring_entry){h->seq,        r->id,      h->time_ns, h->stream_pos,       h->slot,
                             h->source_len, h->msg_len, text,       text + h->source_len};
}

bool ring_read(const struct ring *r, uint64_t *pos, struct ring_entry *e) {
    struct record h;

    while (*pos < ring_head(r)) {
        memcpy(&h, at(r, *pos), FILLER_SIZE);
        uint64_t here = *pos;
        *pos += h.size;
        if (h.filler)
            continue;
        memcpy(&h, at(r, here), sizeof(h));
        fill_entry(r, here, &h, e);
        return true;
    }
    return false;
}

/* Not of the time alone: of two boots without a clock it may be the same. */
static uint64_t new_id(void) {
    struct timespec t;
    uint64_t random = 0;

    (void)clock_gettime(CLOCK_REALTIME, &t);
    (void)!getrandom(&random, sizeof(random), GRND_INSECURE);
    return (((uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec) ^ random) | 1;
}

static void reset(struct ring *r) {
    r->id = r->shared->id = new_id();
    atomic_store(&r->shared->tail, 0);
    atomic_store(&r->shared->head, 0);
    r->lines = 0;
    r->next_seq = 1;
    r->last_time = 0;
}

/* Walks over all records: what is not in the shared part is counted anew. */
static bool recover(struct ring *r) {
    struct ring_entry e;
    uint64_t pos = ring_tail(r);

    if (pos > ring_head(r) || ring_head(r) - pos > r->size || pos % ALIGN)
        return false;
    for (uint64_t p = pos; p < ring_head(r);) {
        uint32_t size;
        if (!record_ok(r, p))
            return false;
        memcpy(&size, at(r, p), sizeof(size));
        p += size;
    }
    while (ring_read(r, &pos, &e)) {
        if ((r->lines > 0 && e.seq != r->next_seq) || e.time_ns > TIME_MAX || e.time_ns < -TIME_MAX)
            return false;
        r->lines++;
        r->next_seq = e.seq + 1;
        r->last_time = e.time_ns;
    }
    return true;
}

bool ring_init(struct ring *r, void *area, size_t len, uint32_t max_lines) {
    *r = (struct ring){.shared = area, .data = (char *)area + sizeof(struct ring_shared)};
    r->id = r->shared->id;
    r->size = (len - sizeof(struct ring_shared)) / ALIGN * ALIGN;
    r->max_lines = max_lines ? max_lines : 1;
    r->next_seq = 1;
    if (r->shared->magic != RING_MAGIC || r->shared->size != r->size || !recover(r)) {
        reset(r);
        r->shared->size = r->size;
        r->shared->magic = RING_MAGIC;
    }
    return r->lines > 0;
}

static void evict_oldest(struct ring *r) {
    struct ring_entry e;
    uint64_t start = ring_tail(r), pos = start;

    if (ring_read(r, &pos, &e)) {
        if (r->on_evict)
            r->on_evict(r->evict_data, start, &e);
        r->lines--;
    }
    atomic_store_explicit(&r->shared->tail, pos, memory_order_release);
}

static void make_room(struct ring *r, uint64_t need) {
    while (r->lines >= r->max_lines || r->size - (ring_head(r) - ring_tail(r)) < need)
        evict_oldest(r);
}

static int64_t later_than_last(const struct ring *r, int64_t time_ns) {
    bool set_back = time_ns < r->last_time - STEP_BACK_NS;

    return time_ns > r->last_time + 1 || set_back ? time_ns : r->last_time + 2;
}

void ring_append(struct ring *r, const struct ring_entry *e) {
    uint16_t source_len = e->source_len > RING_SOURCE_MAX ? RING_SOURCE_MAX : e->source_len;
    uint32_t msg_len = e->msg_len > RING_MSG_MAX ? RING_MSG_MAX : e->msg_len;
    uint32_t size = record_size(source_len, msg_len);
    uint64_t head = ring_head(r);
    uint64_t left = r->size - head % r->size;
    uint32_t filler = left < size ? (uint32_t)left : 0;

    make_room(r, (uint64_t)size + filler);
    if (filler) {
        const struct record f = {.size = filler, .filler = 1};
        memcpy(at(r, head), &f, FILLER_SIZE);
        head += filler;
    }
    const struct record h = {.size = size,
                             .slot = e->slot,
                             .seq = r->next_seq++,
                             .time_ns = later_than_last(r, e->time_ns),
                             .stream_pos = e->stream_pos,
                             .msg_len = msg_len,
                             .source_len = source_len};
    char *to = at(r, head);
    memcpy(to, &h, sizeof(h));
    memcpy(to + sizeof(h), e->source, source_len);
    memcpy(to + sizeof(h) + source_len, e->msg, msg_len);
    r->last_time = h.time_ns;
    r->lines++;
    atomic_store_explicit(&r->shared->head, head + size, memory_order_release);
}

bool ring_last(const struct ring *r, struct ring_entry *e) {
    uint64_t pos = ring_newest(r, 1);

    return ring_read(r, &pos, e);
}

bool ring_find(const struct ring *r, uint64_t seq, uint64_t *pos) {
    uint64_t oldest = r->next_seq - r->lines;

    *pos = ring_tail(r);
    if (seq < oldest || seq > r->next_seq)
        return false;
    *pos = ring_newest(r, r->next_seq - seq);
    return true;
}

uint64_t ring_newest(const struct ring *r, uint64_t n) {
    struct ring_entry e;
    uint64_t pos = ring_tail(r);

    for (uint64_t skip = r->lines > n ? r->lines - n : 0; skip > 0; skip--)
        (void)ring_read(r, &pos, &e);
    return pos;
}

void ring_copy(struct ring *to, const struct ring *from) {
    struct ring_entry e;
    uint64_t pos = ring_tail(from);

    to->id = to->shared->id = from->id;
    to->next_seq = from->next_seq - from->lines;
    while (ring_read(from, &pos, &e))
        ring_append(to, &e);
}
