/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The lines, oldest first, in one memory area with two bounds: bytes (the area's size) and lines. A line that does not
 * fit any more pushes out the oldest ones. The area may be shared memory that outlives the process: a record counts
 * from the moment that `head` is moved, in one store, so a process that is killed anywhere leaves a whole ring behind.
 *
 * Positions are bytes since the beginning of time; a cursor is a position. Times are strictly increasing, by at least
 * 2 ns, unless the clock was set back by more than a second: a line can be recognised by its time.
 */
#ifndef MEMLOGD_RING_H
#define MEMLOGD_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RING_SOURCE_MAX 255  /* bytes of a source's name */
#define RING_MSG_MAX 16384   /* bytes of a line */
#define RING_BYTES_MIN 65536 /* an area must hold at least a few of the longest lines */
#define RING_NO_SLOT UINT16_MAX

struct ring_entry {
    uint64_t seq;
    uint64_t ring_id;    /* 0: not known */
    int64_t time_ns;     /* CLOCK_REALTIME */
    uint64_t stream_pos; /* for the caller: how far its source had been read with this line */
    uint16_t slot;       /* for the caller: which source */
    uint16_t source_len;
    uint32_t msg_len;
    const char *source, *msg; /* in the ring: valid until the next append */
};

/* Called for each line that is about to be pushed out, before it is. */
typedef void ring_evict_fn(void *data, uint64_t pos, const struct ring_entry *e);

struct ring_shared;

struct ring {
    struct ring_shared *shared;
    char *data;
    uint64_t size;
    uint32_t max_lines, lines;
    uint64_t next_seq;
    uint64_t id; /* another one for another ring: a number line of its own */
    int64_t last_time;
    ring_evict_fn *on_evict;
    void *evict_data;
};

/*
 * Uses len bytes at area (8-byte aligned, at least RING_BYTES_MIN), zeroed or with a ring in it, of the same len.
 * True if there was a ring with lines; a damaged one is emptied.
 */
bool ring_init(struct ring *r, void *area, size_t len, uint32_t max_lines);

/* Adds a line; e's seq is ignored, its time is moved up if it is not later than the last one's. Cannot fail. */
void ring_append(struct ring *r, const struct ring_entry *e);

uint64_t ring_tail(const struct ring *r); /* the oldest line's position */
uint64_t ring_head(const struct ring *r); /* where the next one will be */

/* The line at *pos, which is moved behind it. False: there is none (yet). *pos must not be before ring_tail(). */
bool ring_read(const struct ring *r, uint64_t *pos, struct ring_entry *e);

/* The newest line. False: the ring is empty. */
bool ring_last(const struct ring *r, struct ring_entry *e);

/* Where the line with that number is. False: it has been pushed out, or has not come yet; *pos is the tail then. */
bool ring_find(const struct ring *r, uint64_t seq, uint64_t *pos);

/* Makes `to`, which is empty, the same ring with other bounds: the newest lines that fit, with their numbers. */
void ring_copy(struct ring *to, const struct ring *from);

/* Where to start for the newest n lines. */
uint64_t ring_newest(const struct ring *r, uint64_t n);

#endif
