/* SPDX-License-Identifier: Apache-2.0 */
#include "memlogd/intake.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>

#include "memlogd/name.h"

#define PAGE ((size_t)4096)
#define KEPT_DIRTY ((size_t)64 << 10) /* of staging; more than that is rare, and given back */

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
    struct slot slots[INTAKE_SLOTS + 1];
    struct syslog_sources syslog;
    struct {
        _Atomic uint32_t state;
        uint32_t slot;
        uint64_t pos;   /* of data[0] in its source */
        uint32_t size;  /* of the read */
        uint32_t len;   /* if full: bytes in data, */
        uint32_t lost;  /* and of the datagram behind them */
        uint32_t dirty; /* bytes from earlier reads: zeroed before the next one */
        _Alignas(PAGE) char data[INTAKE_STAGING];
    } staging;
};

static size_t page_aligned(size_t n) {
    return (n + PAGE - 1) / PAGE * PAGE;
}

size_t intake_size(uint32_t max_line_len) {
    return page_aligned(sizeof(struct intake_shared)) + (size_t)INTAKE_SLOTS * (max_line_len + 1);
}

static void set_name(struct slot *s, const char *name, size_t len) {
    s->name_len = (uint32_t)name_make(s->name, NAME_FROM_LOG_SOCKET, name, len);
    s->name[s->name_len] = '\0';
}

static char *partial_of(const struct intake *in, unsigned slot) {
    return in->partial + (size_t)slot * (in->max_line_len + 1);
}

void intake_init(struct intake *in, void *area, uint32_t max_line_len, struct ring *ring) {
    *in = (struct intake){.shared = area, .max_line_len = max_line_len, .ring = ring};
    in->partial = (char *)area + page_aligned(sizeof(struct intake_shared));
    if (in->shared->syslog.len > SYSLOG_SOURCES)
        in->shared->syslog.len = 0;
    set_name(&in->shared->slots[INTAKE_SYSLOG], SYSLOG_OTHERS, sizeof(SYSLOG_OTHERS) - 1);
    in->shared->slots[INTAKE_SYSLOG].taken = 1;
}

static struct line_state *state_of(struct slot *s) {
    return &s->state[s->current & 1u];
}

static void set_state(struct slot *s, struct line_state next) {
    uint32_t other = !(s->current & 1u);

    s->state[other] = next;
    atomic_store_explicit(&s->current, other, memory_order_release);
}

/* Whose line it is, and where it is counted if it is cut. */
struct owner {
    const char *name;
    size_t name_len;
    uint64_t *cut_lines, *cut_bytes;
};

static struct owner owner_of(struct slot *s) {
    return (struct owner){s->name, s->name_len, &s->cut_lines, &s->cut_bytes};
}

/* Adds a whole line to the ring; whole.pos is behind its end. */
static void emit_as(struct intake *in, unsigned slot, struct owner o, const char *line, struct line_state whole,
                    int64_t now_ns) {
    struct slot *s = &in->shared->slots[slot];

    if (whole.cut == 0 && whole.len > 0 && line[whole.len - 1] == '\r')
        whole.len--;
    if (whole.len > in->max_line_len) {
        whole.cut += whole.len - in->max_line_len;
        whole.len = in->max_line_len;
    }
    if (whole.cut) {
        *o.cut_lines += 1;
        *o.cut_bytes += whole.cut;
        in->cuts = true;
    }
    ring_append(in->ring, &(struct ring_entry){.time_ns = now_ns,
                                               .stream_pos = whole.pos,
                                               .slot = (uint16_t)slot,
                                               .source_len = (uint16_t)o.name_len,
                                               .msg_len = whole.len,
                                               .source = o.name,
                                               .msg = line});
    set_state(s, (struct line_state){.pos = whole.pos});
}

static void emit(struct intake *in, unsigned slot, const char *line, struct line_state whole, int64_t now_ns) {
    emit_as(in, slot, owner_of(&in->shared->slots[slot]), line, whole, now_ns);
}

static void feed(struct intake *in, unsigned slot, const char *data, size_t len, int64_t now_ns) {
    struct slot *s = &in->shared->slots[slot];
    char *partial = partial_of(in, slot);

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
        in->touched = true;
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

/* Bytes behind the last one: nobody will see them. */
static void lose(struct intake *in, unsigned slot, uint32_t bytes) {
    struct slot *s = &in->shared->slots[slot];
    struct line_state next = *state_of(s);

    next.cut += bytes;
    set_state(s, next);
}

/* A datagram of which the first `done` bytes are in the ring already, and the last `lost` were not received. */
static void feed_syslog(struct intake *in, const char *data, size_t len, uint64_t done, uint32_t lost, int64_t now_ns) {
    struct slot *s = &in->shared->slots[INTAKE_SYSLOG];
    const uint64_t start = state_of(s)->pos - done;
    struct syslog_message m;

    syslog_parse(data, len, &m);
    struct syslog_source *own = syslog_source(&in->shared->syslog, &m);
    struct owner o = own ? (struct owner){own->name, own->len, &own->cut_lines, &own->cut_bytes} : owner_of(s);
    const char *line = own ? m.text : m.tagged;
    const char *stop = line + (own ? m.text_len : m.tagged_len);
    for (bool more = len > 0; more;) {
        const char *end = memchr(line, '\n', (size_t)(stop - line));
        more = end != NULL;
        size_t line_len = (size_t)((end ? end : stop) - line);
        struct line_state whole = {
            .pos = start + (more ? (size_t)(end + 1 - data) : len), .len = (uint32_t)line_len, .cut = more ? 0 : lost};
        if (whole.pos > start + done)
            emit_as(in, INTAKE_SYSLOG, o, line, whole, now_ns);
        line += line_len + 1;
    }
}

/* Adds what is in staging behind its first `done` bytes. */
static void feed_staged(struct intake *in, uint64_t done, int64_t now_ns) {
    struct intake_shared *sh = in->shared;
    unsigned slot = sh->staging.slot;

    if (slot == INTAKE_SYSLOG) {
        feed_syslog(in, sh->staging.data, sh->staging.len, done, sh->staging.lost, now_ns);
    } else {
        feed(in, slot, sh->staging.data + done, sh->staging.len - done, now_ns);
        if (sh->staging.lost)
            lose(in, slot, sh->staging.lost);
    }
}

/* Back to zeros. What is not often used is given back, if the area can do that. */
static void clean_staging(struct intake_shared *sh) {
    size_t dirty = sh->staging.dirty;

    if (dirty > KEPT_DIRTY &&
        madvise(sh->staging.data + KEPT_DIRTY, page_aligned(dirty - KEPT_DIRTY), MADV_REMOVE) == 0)
        dirty = KEPT_DIRTY;
    memset(sh->staging.data, 0, dirty);
    sh->staging.dirty = 0;
}

/* Reads into staging: of a process that is killed before it has looked at all of it, the next one does. */
static ssize_t stage(struct intake *in, unsigned slot, enum receive_kind kind, int fd) {
    struct intake_shared *sh = in->shared;
    size_t size = receive_size(kind);

    if (size > INTAKE_STAGING)
        size = INTAKE_STAGING;
    clean_staging(sh);
    sh->staging.slot = slot;
    sh->staging.size = (uint32_t)size;
    sh->staging.lost = 0;
    sh->staging.pos = state_of(&sh->slots[slot])->pos;
    atomic_store(&sh->staging.state, STAGING_READING);
    ssize_t n = receive(kind, fd, sh->staging.data, size);
    if (n <= 0) {
        atomic_store(&sh->staging.state, STAGING_IDLE);
        return n;
    }
    in->touched = true;
    sh->staging.len = sh->staging.dirty = (uint32_t)((size_t)n < size ? (size_t)n : size);
    sh->staging.lost = (uint32_t)((size_t)n - sh->staging.len);
    atomic_store(&sh->staging.state, STAGING_FULL);
    return n;
}

ssize_t intake_read(struct intake *in, unsigned slot, enum receive_kind kind, int fd, int64_t now_ns) {
    ssize_t n = stage(in, slot, kind, fd);

    if (n > 0)
        feed_staged(in, 0, now_ns);
    atomic_store(&in->shared->staging.state, STAGING_IDLE);
    return n;
}

ssize_t intake_receive(struct intake *in, int fd, int64_t now_ns) {
    return intake_read(in, INTAKE_SYSLOG, RECEIVE_DATAGRAMS, fd, now_ns);
}

void intake_recover(struct intake *in, int64_t now_ns) {
    struct intake_shared *sh = in->shared;
    struct ring_entry last;

    /* A line got into the ring, but its source's state was not yet set. */
    if (ring_last(in->ring, &last) && last.slot <= INTAKE_SYSLOG && sh->slots[last.slot].taken &&
        state_of(&sh->slots[last.slot])->pos < last.stream_pos)
        set_state(&sh->slots[last.slot], (struct line_state){.pos = last.stream_pos});
    uint32_t state = sh->staging.state;
    if (sh->staging.size > INTAKE_STAGING)
        sh->staging.size = INTAKE_STAGING;
    if (state == STAGING_READING)
        for (sh->staging.len = sh->staging.size; sh->staging.len > 0; sh->staging.len--)
            if (sh->staging.data[sh->staging.len - 1] != '\0')
                break;
    unsigned slot = sh->staging.slot;
    if (state != STAGING_IDLE && slot <= INTAKE_SYSLOG && sh->staging.len <= INTAKE_STAGING && sh->slots[slot].taken) {
        uint64_t done = state_of(&sh->slots[slot])->pos - sh->staging.pos;
        if (done < sh->staging.len)
            feed_staged(in, done, now_ns);
    }
    in->cuts = in->touched = true;
    sh->staging.dirty = sh->staging.size > KEPT_DIRTY ? sh->staging.size : KEPT_DIRTY;
    atomic_store(&sh->staging.state, STAGING_IDLE);
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
        emit(in, slot, partial_of(in, slot), st, now_ns);
}

void intake_end(struct intake *in, unsigned slot) {
    atomic_store(&in->shared->slots[slot].taken, 0);
}

bool intake_take_cuts(struct intake *in, unsigned who, struct intake_cuts *cuts) {
    struct syslog_sources *programs = &in->shared->syslog;
    unsigned program = who - INTAKE_SLOTS - 1;
    struct owner o;

    *cuts = (struct intake_cuts){0};
    if (who <= INTAKE_SYSLOG) {
        o = owner_of(&in->shared->slots[who]);
    } else if (program < programs->len) {
        struct syslog_source *p = &programs->v[program];
        o = (struct owner){p->name, p->len, &p->cut_lines, &p->cut_bytes};
    } else {
        return false;
    }
    *cuts = (struct intake_cuts){o.name, o.name_len, *o.cut_lines, *o.cut_bytes};
    *o.cut_lines = *o.cut_bytes = 0;
    return cuts->lines > 0;
}

/* --- memory --- */

/* Is a line of one of the slots in that page? */
static bool page_in_use(const struct intake *in, size_t start) {
    size_t stride = in->max_line_len + 1;

    for (size_t i = start / stride; i <= (start + PAGE - 1) / stride && i < INTAKE_SLOTS; i++) {
        struct slot *s = &in->shared->slots[i];
        if (s->taken && state_of(s)->len > 0)
            return true;
    }
    return false;
}

void intake_trim(struct intake *in) {
    size_t end = (size_t)INTAKE_SLOTS * (in->max_line_len + 1), from = 0;

    if (!in->touched)
        return;
    in->touched = false;
    for (size_t at = 0; at < end; at += PAGE) {
        bool used = page_in_use(in, at);
        in->touched |= used;
        if (used && at > from)
            (void)madvise(in->partial + from, at - from, MADV_REMOVE);
        from = used ? at + PAGE : from;
    }
    if (end > from)
        (void)madvise(in->partial + from, page_aligned(end) - from, MADV_REMOVE);
    if (madvise(in->shared->staging.data, INTAKE_STAGING, MADV_REMOVE) == 0)
        in->shared->staging.dirty = 0;
}

void intake_copy(struct intake *to, const struct intake *from) {
    to->shared->syslog = from->shared->syslog;
    for (unsigned i = 0; i <= INTAKE_SYSLOG; i++) {
        struct slot *s = &to->shared->slots[i];
        memcpy(s, &from->shared->slots[i], sizeof(*s));
        struct line_state *st = state_of(s);
        uint32_t most = to->max_line_len + 1;
        if (!s->taken || st->len == 0)
            continue;
        if (st->len > most) {
            st->cut += st->len - most;
            st->len = most;
        }
        memcpy(partial_of(to, i), partial_of(from, i), st->len);
    }
    to->cuts = to->touched = true;
}
