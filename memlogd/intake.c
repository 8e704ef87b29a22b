/* SPDX-License-Identifier: Apache-2.0 */
#include "memlogd/intake.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

/* The line that has begun. */
struct line_state {
    uint64_t pos; /* bytes of the source that are in it, or in lines before it */
    uint32_t len; /* bytes of it in `partial` */
    uint32_t cut; /* bytes of it that are not */
};

struct slot {
    _Atomic uint32_t taken;
    _Atomic uint32_t current; /* which of the two states holds; the other one is being written */
    struct line_state state[2];
    uint64_t cut_lines, cut_bytes;
    uint32_t name_len;
    char name[RING_SOURCE_MAX + 1];
};

enum staging_state { STAGING_IDLE, STAGING_READING, STAGING_FULL };

struct intake_shared {
    struct slot slots[INTAKE_SLOTS];
    struct {
        _Atomic uint32_t state;
        uint32_t slot;
        uint64_t pos;   /* of data[0] in its source */
        uint32_t len;   /* if full */
        uint32_t dirty; /* bytes from earlier reads: zeroed before the next one */
        char data[INTAKE_STAGING];
    } staging;
};

size_t intake_size(uint32_t max_line_len) {
    return sizeof(struct intake_shared) + (size_t)INTAKE_SLOTS * (max_line_len + 1);
}

void intake_init(struct intake *in, void *area, uint32_t max_line_len, struct ring *ring) {
    *in = (struct intake){.shared = area, .max_line_len = max_line_len, .ring = ring};
    in->partial = (char *)area + sizeof(struct intake_shared);
}

static struct line_state *state_of(struct slot *s) {
    return &s->state[s->current & 1u];
}

static void set_state(struct slot *s, struct line_state next) {
    uint32_t other = !(s->current & 1u);

    s->state[other] = next;
    atomic_store_explicit(&s->current, other, memory_order_release);
}

/* Adds a whole line to the ring; stream_pos is behind its end. */
static void emit(struct intake *in, unsigned slot, const char *line, struct line_state whole, int64_t now_ns) {
    struct slot *s = &in->shared->slots[slot];

    if (whole.cut == 0 && whole.len > 0 && line[whole.len - 1] == '\r')
        whole.len--;
    if (whole.len > in->max_line_len) {
        whole.cut += whole.len - in->max_line_len;
        whole.len = in->max_line_len;
    }
    if (whole.cut) {
        s->cut_lines++;
        s->cut_bytes += whole.cut;
        in->cuts = true;
    }
    ring_append(in->ring, &(struct ring_entry){.time_ns = now_ns,
                                               .stream_pos = whole.pos,
                                               .slot = (uint16_t)slot,
                                               .source_len = (uint16_t)s->name_len,
                                               .msg_len = whole.len,
                                               .source = s->name,
                                               .msg = line});
    set_state(s, (struct line_state){.pos = whole.pos});
}

static void feed(struct intake *in, unsigned slot, const char *data, size_t len, int64_t now_ns) {
    struct slot *s = &in->shared->slots[slot];
    char *partial = in->partial + (size_t)slot * (in->max_line_len + 1);

    for (size_t done = 0; done < len;) {
        const char *start = data + done;
        const char *end = memchr(start, '\n', len - done);
        size_t part = end ? (size_t)(end - start) : len - done;
        struct line_state next = *state_of(s);

        done += part + (end ? 1 : 0);
        next.pos += part + (end ? 1 : 0);
        if (end && next.len == 0 && next.cut == 0) {
            next.len = (uint32_t)part;
            emit(in, slot, start, next, now_ns);
            continue;
        }
        size_t room = in->max_line_len + 1 - next.len;
        size_t copied = part < room ? part : room;
        memcpy(partial + next.len, start, copied);
        next.len += (uint32_t)copied;
        next.cut += (uint32_t)(part - copied);
        if (end)
            emit(in, slot, partial, next, now_ns);
        else
            set_state(s, next);
    }
}

void intake_feed(struct intake *in, unsigned slot, const char *data, size_t len, int64_t now_ns) {
    feed(in, slot, data, len, now_ns);
}

ssize_t intake_read(struct intake *in, unsigned slot, int fd, int64_t now_ns) {
    struct intake_shared *sh = in->shared;
    ssize_t n;

    memset(sh->staging.data, 0, sh->staging.dirty);
    sh->staging.dirty = 0;
    sh->staging.slot = slot;
    sh->staging.pos = state_of(&sh->slots[slot])->pos;
    atomic_store(&sh->staging.state, STAGING_READING);
    do
        n = read(fd, sh->staging.data, INTAKE_STAGING);
    while (n < 0 && errno == EINTR);
    int failed = n < 0 ? -errno : 0;
    if (n > 0) {
        sh->staging.len = sh->staging.dirty = (uint32_t)n;
        atomic_store(&sh->staging.state, STAGING_FULL);
        feed(in, slot, sh->staging.data, (size_t)n, now_ns);
    }
    atomic_store(&sh->staging.state, STAGING_IDLE);
    return failed ? failed : n;
}

void intake_recover(struct intake *in, int64_t now_ns) {
    struct intake_shared *sh = in->shared;
    struct ring_entry last;

    /* A line got into the ring, but its source's state was not yet set. */
    if (ring_last(in->ring, &last) && last.slot < INTAKE_SLOTS && sh->slots[last.slot].taken &&
        state_of(&sh->slots[last.slot])->pos < last.stream_pos)
        set_state(&sh->slots[last.slot], (struct line_state){.pos = last.stream_pos});
    uint32_t state = sh->staging.state;
    uint32_t len = sh->staging.len;
    if (state == STAGING_READING)
        for (len = INTAKE_STAGING; len > 0 && sh->staging.data[len - 1] == '\0'; len--)
            ;
    unsigned slot = sh->staging.slot;
    if (state != STAGING_IDLE && slot < INTAKE_SLOTS && len <= INTAKE_STAGING && sh->slots[slot].taken) {
        uint64_t done = state_of(&sh->slots[slot])->pos - sh->staging.pos;
        sh->staging.len = len;
        if (done < len)
            feed(in, slot, sh->staging.data + done, len - done, now_ns);
    }
    in->cuts = true;
    sh->staging.dirty = INTAKE_STAGING;
    atomic_store(&sh->staging.state, STAGING_IDLE);
}

/* Names go to terminals and into file names. */
static void set_name(struct slot *s, const char *name, size_t len) {
    s->name_len = (uint32_t)(len < RING_SOURCE_MAX ? len : RING_SOURCE_MAX);
    for (uint32_t i = 0; i < s->name_len; i++)
        s->name[i] = (unsigned char)name[i] < 0x20 || name[i] == 0x7f ? '?' : name[i];
    s->name[s->name_len] = '\0';
}

int intake_prepare(struct intake *in, const char *name, size_t len) {
    for (unsigned i = 0; i < INTAKE_SLOTS; i++) {
        struct slot *s = &in->shared->slots[i];
        if (s->taken)
            continue;
        memset(s->state, 0, sizeof(s->state));
        s->cut_lines = s->cut_bytes = 0;
        set_name(s, name, len);
        return (int)i;
    }
    return -ENOSPC;
}

void intake_take(struct intake *in, unsigned slot) {
    atomic_store(&in->shared->slots[slot].taken, 1);
}

bool intake_taken(const struct intake *in, unsigned slot) {
    return slot < INTAKE_SLOTS && in->shared->slots[slot].taken;
}

const char *intake_name(const struct intake *in, unsigned slot) {
    return in->shared->slots[slot].name;
}

void intake_flush(struct intake *in, unsigned slot, int64_t now_ns) {
    struct line_state st = *state_of(&in->shared->slots[slot]);

    if (st.len || st.cut)
        emit(in, slot, in->partial + (size_t)slot * (in->max_line_len + 1), st, now_ns);
}

void intake_end(struct intake *in, unsigned slot) {
    atomic_store(&in->shared->slots[slot].taken, 0);
}

void intake_take_cuts(struct intake *in, unsigned slot, uint64_t *lines, uint64_t *bytes) {
    struct slot *s = &in->shared->slots[slot];

    *lines = s->cut_lines;
    *bytes = s->cut_bytes;
    s->cut_lines = s->cut_bytes = 0;
}
