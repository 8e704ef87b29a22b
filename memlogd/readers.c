/* SPDX-License-Identifier: Apache-2.0 */
#include "memlogd/readers.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "memlogd/losses.h"
#include "memlogd/name.h"
#include "memlogd/wire.h"

#define TURN_MAX (256 * 1024) /* bytes a reader gets before others have their turn */

struct reader {
    struct readers *all;
    int fd;
    struct loop_source source;
    uint64_t asks_before_ms;
    enum { READER_ASKED_NOTHING, READER_READS } state;
    bool follows, blocked, numbered;
    uint64_t pos, end; /* where it is; where it stops, if it does not follow */
    struct losses losses;
    char *rest; /* of a line, or a notice, that was sent in part */
    size_t rest_len, rest_done;
};

static void reader_free(struct reader *r) {
    struct readers *rs = r->all;

    for (unsigned i = 0; i < rs->len; i++)
        if (rs->v[i] == r) {
            rs->v[i] = rs->v[--rs->len];
            break;
        }
    loop_remove(rs->loop, &r->source);
    (void)close(r->fd);
    losses_free(&r->losses);
    free(r->rest);
    free(r);
}

static void on_evict(void *data, uint64_t pos, const struct ring_entry *e) {
    struct readers *rs = data;

    for (unsigned i = 0; i < rs->len; i++) {
        struct reader *r = rs->v[i];
        /* Positions at a filler are those of the line behind it. */
        if (r->state != READER_READS || r->pos > pos || (!r->follows && pos >= r->end))
            continue;
        losses_count(&r->losses, e);
        r->pos = pos + 1; /* not at a line: moved to the tail before it reads on */
    }
}

/* --- what is sent: these return bytes, 0 if there is nothing to send, or a negative errno --- */

static ssize_t send_text(const struct reader *r, const char *text, size_t len) {
    ssize_t n;

    do
        n = send(r->fd, text, len, MSG_DONTWAIT | MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : n;
}

static int keep_rest(struct reader *r, const char *text, size_t len) {
    r->rest = malloc(len);
    if (!r->rest)
        return -ENOMEM;
    memcpy(r->rest, text, len);
    r->rest_len = len;
    r->rest_done = 0;
    return 0;
}

static ssize_t send_rest(struct reader *r) {
    ssize_t n = send_text(r, r->rest + r->rest_done, r->rest_len - r->rest_done);

    r->rest_done += n < 0 ? 0 : (size_t)n;
    if (r->rest_done == r->rest_len) {
        free(r->rest);
        r->rest = NULL;
    }
    return n;
}

/* Text that is not made a second time: what does not go now goes first later. */
static ssize_t send_once(struct reader *r, const char *text, size_t len) {
    ssize_t n = send_text(r, text, len);

    if (n == -EAGAIN)
        n = 0;
    int kept = n >= 0 && (size_t)n < len ? keep_rest(r, text + n, len - (size_t)n) : 0;
    return n < 0 ? n : kept < 0 ? kept : (ssize_t)len;
}

/*
 * Told before the line `next`, and a little older than it: times stay in order. Numbers of lost lines are as if those
 * that are told first had been the first ones, so that a reader that resumes is told none of them twice.
 */
static ssize_t send_notice(struct reader *r, const struct ring_entry *next) {
    char text[LOSSES_TEXT_MAX];
    size_t len = losses_take(&r->losses, text);
    const struct ring_entry e = {.seq = next->seq - 1 - losses_total(&r->losses),
                                 .ring_id = next->ring_id,
                                 .time_ns = next->time_ns - 1,
                                 .source_len = sizeof(NAME_OWN) - 1,
                                 .source = NAME_OWN,
                                 .msg_len = (uint32_t)len,
                                 .msg = text};

    len = (r->numbered ? entry_format_numbered : entry_format)(&e, r->all->batch);
    return send_once(r, r->all->batch, len);
}

static uint64_t end_of(const struct reader *r) {
    return r->follows ? ring_head(r->all->ring) : r->end;
}

/* The lines from r->pos on, at most a batch; *after is behind them. */
static size_t format_lines(const struct reader *r, uint64_t *after) {
    struct ring_entry e;
    size_t len = 0;

    for (*after = r->pos; len < READERS_BATCH && *after < end_of(r);)
        if (ring_read(r->all->ring, after, &e))
            len += (r->numbered ? entry_format_numbered : entry_format)(&e, r->all->batch + len);
    return len;
}

/* Only the first `sent` bytes were: behind the lines that these are, and what is missing of the last one is kept. */
static int sent_in_part(struct reader *r, const char *text, size_t len, size_t sent) {
    const char *line = text, *stop = text + sent;
    struct ring_entry e;

    while (line < stop) {
        const char *end = memchr(line, '\n', (size_t)(text + len - line));
        (void)ring_read(r->all->ring, &r->pos, &e);
        line = end + 1;
    }
    return line > stop ? keep_rest(r, stop, (size_t)(line - stop)) : 0;
}

static ssize_t send_lines(struct reader *r) {
    uint64_t after;
    size_t len = format_lines(r, &after);
    ssize_t n = len ? send_text(r, r->all->batch, len) : 0;

    if (n < 0)
        return n;
    if ((size_t)n == len) {
        r->pos = after;
        return n;
    }
    int kept = sent_in_part(r, r->all->batch, len, (size_t)n);
    return kept < 0 ? kept : n;
}

static ssize_t send_next(struct reader *r) {
    const struct ring *ring = r->all->ring;
    struct ring_entry next = {.time_ns = ring->last_time};

    if (r->rest)
        return send_rest(r);
    if (r->pos < ring_tail(ring))
        r->pos = ring_tail(ring);
    uint64_t pos = r->pos;
    if (losses_total(&r->losses) > 0 && (ring_read(ring, &pos, &next) || !r->follows))
        return send_notice(r, &next);
    return send_lines(r);
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
        ssize_t n = send_next(r);
        if (n == -EAGAIN)
            break;
        if (n < 0 || (n == 0 && !r->follows)) {
            reader_free(r);
            return false;
        }
        if (n == 0) {
            block(r, false);
            return true;
        }
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

/* Where a reader that was here before goes on. */
static void resume(struct reader *r, const struct wire_resume *from) {
    const struct ring *ring = r->all->ring;
    uint64_t oldest = ring->next_seq - ring->lines;

    r->numbered = true;
    r->pos = ring_tail(ring);
    if (from->ring_id == ring->id && !ring_find(ring, from->seq, &r->pos) && from->seq < oldest)
        r->losses.before = oldest - from->seq;
}

static void begin(struct reader *r, unsigned char mode, const struct wire_resume *from) {
    const struct ring *ring = r->all->ring;
    ssize_t n = 1;

    r->state = READER_READS;
    r->follows = mode != WIRE_DUMP;
    r->end = ring_head(ring);
    r->pos = mode == WIRE_FOLLOW ? r->end : ring_tail(ring);
    if (mode == WIRE_RESUME) {
        resume(r, from);
        n = send_once(r, "\n", 1); /* "I know what you want": there may be no line to send */
    }
    if (n < 0) {
        reader_free(r);
        return;
    }
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

/* --- who comes --- */

static void want_tick(struct readers *rs) {
    if (rs->wants_tick)
        rs->wants_tick(rs->wants_tick_data);
}

void readers_add(struct readers *rs, int fd) {
    struct reader *r = rs->len < READERS_MAX ? calloc(1, sizeof(*r)) : NULL;

    if (!r) {
        (void)close(fd);
        rs->refused++;
        want_tick(rs);
        return;
    }
    r->all = rs;
    r->fd = fd;
    r->asks_before_ms = clock_ms() + READERS_ASK_MS;
    rs->v[rs->len++] = r;
    if (loop_add_fd(rs->loop, &r->source, fd, EPOLLIN, on_reader, r) < 0) {
        reader_free(r);
        rs->refused_fds++;
    }
    want_tick(rs);
}

/* No descriptor is left: with the spare one it can at least be sent away, so that it does not wait for nothing. */
static bool send_away(struct readers *rs) {
    if (rs->spare_fd < 0)
        return false;
    (void)close(rs->spare_fd);
    int fd = accept4(rs->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd >= 0)
        (void)close(fd);
    rs->spare_fd = fcntl(rs->listen_fd, F_DUPFD_CLOEXEC, 0);
    rs->refused_fds += fd >= 0;
    return fd >= 0;
}

static void on_connection(struct loop_source *s, uint32_t events, void *data) {
    struct readers *rs = data;

    (void)events;
    int fd = accept4(rs->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd >= 0) {
        readers_add(rs, fd);
        return;
    }
    if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED)
        return;
    if ((errno != EMFILE && errno != ENFILE) || !send_away(rs))
        loop_remove(rs->loop, s); /* it would be said to be there again at once: until the next tick */
    want_tick(rs);
}

static int listen_again(struct readers *rs) {
    if (loop_has(&rs->listener))
        return 0;
    return loop_add_fd(rs->loop, &rs->listener, rs->listen_fd, EPOLLIN, on_connection, rs);
}

int readers_init(struct readers *rs, struct loop *l, struct ring *ring, int listen_fd) {
    rs->loop = l;
    rs->ring = ring;
    rs->listen_fd = listen_fd;
    rs->spare_fd = fcntl(listen_fd, F_DUPFD_CLOEXEC, 0);
    ring->on_evict = on_evict;
    ring->evict_data = rs;
    return listen_again(rs);
}

void readers_tick(struct readers *rs) {
    bool waiting = listen_again(rs) < 0;
    uint64_t now = clock_ms();

    for (unsigned i = 0; i < rs->len;) {
        struct reader *r = rs->v[i];
        bool asks = r->state == READER_ASKED_NOTHING;
        if (asks && now >= r->asks_before_ms) {
            reader_free(r);
            continue;
        }
        waiting |= asks;
        i++;
    }
    if (waiting)
        want_tick(rs);
}
