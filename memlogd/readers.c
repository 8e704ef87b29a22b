/* SPDX-License-Identifier: Apache-2.0 */
#include "memlogd/readers.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "memlogd/entry.h"
#include "memlogd/wire.h"

#define ASK_MS 10000
#define LOSSES_MAX 16
#define OUT_SPARE 16384
#define TURN_MAX (256 * 1024) /* bytes a reader gets before others have their turn */

struct loss {
    uint64_t lines;
    uint16_t source_len;
    char source[RING_SOURCE_MAX];
};

struct reader {
    struct readers *all;
    int fd;
    struct loop_source source, timer;
    enum { READER_ASKED_NOTHING, READER_READS } state;
    bool follows, blocked, numbered;
    uint64_t missed;                    /* lines that were pushed out before it came back */
    uint64_t pos, end;                  /* where it is; where it stops, if it does not follow */
    struct loss losses[LOSSES_MAX + 1]; /* the last one: all other sources */
    unsigned losses_len;
    bool others_lost;
    size_t out_len, out_done;
    char out[];
};

static void reader_free(struct reader *r) {
    struct readers *rs = r->all;

    for (unsigned i = 0; i < rs->len; i++)
        if (rs->v[i] == r) {
            rs->v[i] = rs->v[--rs->len];
            break;
        }
    loop_remove(rs->loop, &r->source);
    loop_remove(rs->loop, &r->timer);
    (void)close(r->fd);
    free(r);
}

/* --- what was lost --- */

static struct loss *loss_of(struct reader *r, const struct ring_entry *e) {
    for (unsigned i = 0; i < r->losses_len; i++)
        if (r->losses[i].source_len == e->source_len && !memcmp(r->losses[i].source, e->source, e->source_len))
            return &r->losses[i];
    if (r->losses_len == LOSSES_MAX) {
        r->others_lost = true;
        return &r->losses[LOSSES_MAX];
    }
    struct loss *l = &r->losses[r->losses_len++];
    l->lines = 0;
    l->source_len = e->source_len;
    memcpy(l->source, e->source, e->source_len);
    return l;
}

static void on_evict(void *data, uint64_t pos, const struct ring_entry *e) {
    struct readers *rs = data;

    for (unsigned i = 0; i < rs->len; i++) {
        struct reader *r = rs->v[i];
        /* Positions at a filler are those of the line behind it. */
        if (r->state != READER_READS || r->pos > pos || (!r->follows && pos >= r->end))
            continue;
        loss_of(r, e)->lines++;
        r->pos = pos + 1; /* not at a line: moved to the tail before it reads on */
    }
}

static bool has_losses(const struct reader *r) {
    return r->losses_len > 0 || r->others_lost || r->missed;
}

/*
 * Told before the line `next`, and a little older than it: times stay in order. For a reader that resumes, the last
 * notice has the number of the last line that is lost: what it was told once it is not told again.
 */
static void put_notice(struct reader *r, const char *text, int len, const struct ring_entry *next) {
    bool last = !has_losses(r);
    const struct ring_entry e = {.seq = next->seq - 1,
                                 .ring_id = next->ring_id,
                                 .time_ns = next->time_ns - 1,
                                 .source_len = 7,
                                 .source = "memlogd",
                                 .msg_len = (uint32_t)(len < 0 ? 0 : len),
                                 .msg = text};

    r->out_len += (r->numbered && last ? entry_format_numbered : entry_format)(&e, r->out + r->out_len);
}

static void put_missed(struct reader *r, const struct ring_entry *next) {
    char text[96];

    int n = snprintf(text, sizeof(text), "%llu lines lost: pushed out before this reader came back",
                     (unsigned long long)r->missed);
    r->missed = 0;
    put_notice(r, text, n, next);
}

static void put_loss(struct reader *r, const struct ring_entry *next) {
    char text[RING_SOURCE_MAX + 96];
    bool others = r->losses_len == 0;
    struct loss *l = &r->losses[others ? LOSSES_MAX : --r->losses_len];

    int n =
        snprintf(text, sizeof(text), "%llu lines of %.*s lost: this reader was too slow", (unsigned long long)l->lines,
                 others ? 13 : (int)l->source_len, others ? "other sources" : l->source);
    l->lines = 0;
    if (others)
        r->others_lost = false;
    put_notice(r, text, n, next);
}

/* False: there was no room for all. */
static bool put_losses(struct reader *r, const struct ring_entry *next) {
    const size_t need = ENTRY_JSON_MAX(RING_SOURCE_MAX + 96);

    while (has_losses(r)) {
        if (r->all->out_size - r->out_len < need)
            return false;
        if (r->missed)
            put_missed(r, next);
        else
            put_loss(r, next);
    }
    return true;
}

/* --- what is sent --- */

static bool at_end(const struct reader *r) {
    return r->pos >= (r->follows ? ring_head(r->all->ring) : r->end);
}

/* Fills the buffer from the ring. */
static void fill(struct reader *r) {
    const struct ring *ring = r->all->ring;
    struct ring_entry e = {0};

    r->out_len = r->out_done = 0;
    if (r->pos < ring_tail(ring))
        r->pos = ring_tail(ring);
    while (!at_end(r)) {
        uint64_t next = r->pos;
        if (!ring_read(ring, &next, &e)) {
            r->pos = next;
            break;
        }
        if (has_losses(r) && !put_losses(r, &e))
            return;
        if (r->all->out_size - r->out_len < ENTRY_JSON_MAX(e.msg_len))
            return;
        r->out_len += (r->numbered ? entry_format_numbered : entry_format)(&e, r->out + r->out_len);
        r->pos = next;
    }
    if (has_losses(r) && !r->follows) /* a dump that lost its last lines */
        (void)put_losses(r, &(struct ring_entry){.time_ns = ring->last_time});
}

static void block(struct reader *r, bool blocked) {
    if (r->blocked == blocked)
        return;
    r->blocked = blocked;
    (void)loop_modify_fd(r->all->loop, &r->source, blocked ? EPOLLOUT : 0);
}

/* Sends until there is no more, or its socket is full, or it has had its turn. False: it is gone. */
static bool pump(struct reader *r) {
    size_t turn = 0;

    while (turn < TURN_MAX) {
        if (r->out_done == r->out_len)
            fill(r);
        if (r->out_len == 0) {
            if (!r->follows) {
                reader_free(r);
                return false;
            }
            block(r, false);
            return true;
        }
        ssize_t n = send(r->fd, r->out + r->out_done, r->out_len - r->out_done, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno != EAGAIN) {
            reader_free(r);
            return false;
        }
        if (n < 0)
            break;
        r->out_done += (size_t)n;
        turn += (size_t)n;
    }
    block(r, true);
    return true;
}

void readers_pump(struct readers *rs) {
    for (unsigned i = 0; i < rs->len;) {
        struct reader *r = rs->v[i];
        if (r->state != READER_READS || r->blocked || pump(r))
            i++; /* else another one is in its place */
    }
}

/* --- what they ask --- */

static void on_too_late(struct loop_source *s, void *data) {
    (void)s;
    reader_free(data);
}

/* Where a reader that was here before goes on. */
static void resume(struct reader *r, const struct wire_resume *from) {
    const struct ring *ring = r->all->ring;
    uint64_t oldest = ring->next_seq - ring->lines;

    r->numbered = true;
    r->out[r->out_len++] = '\n'; /* "I know what you want": there may be no line to send */
    r->pos = ring_tail(ring);
    if (from->ring_id == ring->id && !ring_find(ring, from->seq, &r->pos) && from->seq < oldest)
        r->missed = oldest - from->seq;
}

static void begin(struct reader *r, unsigned char mode, const struct wire_resume *from) {
    const struct ring *ring = r->all->ring;

    r->state = READER_READS;
    r->follows = mode != WIRE_DUMP;
    r->end = ring_head(ring);
    r->pos = mode == WIRE_FOLLOW ? r->end : ring_tail(ring);
    if (mode == WIRE_RESUME)
        resume(r, from);
    loop_remove(r->all->loop, &r->timer);
    r->blocked = true;
    block(r, false); /* what it says after its first byte is not heard; only its end is */
    (void)pump(r);
}

static void on_asked(struct reader *r) {
    unsigned char request[1 + sizeof(struct wire_resume)] = {0};
    struct wire_resume from;
    ssize_t n = recv(r->fd, request, sizeof(request), MSG_DONTWAIT);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    memcpy(&from, request + 1, sizeof(from));
    if ((n >= 1 && request[0] <= WIRE_DUMP_FOLLOW) || (n == (ssize_t)sizeof(request) && request[0] == WIRE_RESUME))
        begin(r, request[0], &from);
    else
        reader_free(r);
}

static void on_reader(struct loop_source *s, uint32_t events, void *data) {
    struct reader *r = data;

    (void)s;
    if (r->state == READER_ASKED_NOTHING)
        on_asked(r);
    else if (events & (EPOLLERR | EPOLLHUP))
        reader_free(r);
    else if (events & EPOLLOUT)
        (void)pump(r);
}

static void add(struct readers *rs, int fd) {
    struct reader *r = rs->len < READERS_MAX ? calloc(1, sizeof(*r) + rs->out_size) : NULL;

    if (!r) {
        (void)close(fd);
        rs->refused++;
        if (rs->on_refused)
            rs->on_refused(rs->refused_data);
        return;
    }
    r->all = rs;
    r->fd = fd;
    rs->v[rs->len++] = r;
    if (loop_add_fd(rs->loop, &r->source, fd, EPOLLIN, on_reader, r) < 0 ||
        loop_set_timer(rs->loop, &r->timer, ASK_MS, on_too_late, r) < 0)
        reader_free(r);
}

static void on_connection(struct loop_source *s, uint32_t events, void *data) {
    struct readers *rs = data;

    (void)s;
    (void)events;
    int fd = accept4(rs->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd >= 0)
        add(rs, fd);
}

int readers_init(struct readers *rs, struct loop *l, struct ring *ring, int listen_fd, uint32_t max_line_len) {
    *rs = (struct readers){.loop = l, .ring = ring, .listen_fd = listen_fd};
    rs->out_size = ENTRY_JSON_MAX(max_line_len) + OUT_SPARE;
    ring->on_evict = on_evict;
    ring->evict_data = rs;
    return loop_add_fd(l, &rs->listener, listen_fd, EPOLLIN, on_connection, rs);
}

void readers_fini(struct readers *rs) {
    while (rs->len > 0)
        reader_free(rs->v[rs->len - 1]);
    loop_remove(rs->loop, &rs->listener);
}
