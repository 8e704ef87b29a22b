/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who reads: connections of the query socket. A reader is a place in the ring, and nothing else as long as its socket
 * takes whole lines: the ring is its queue, and the text is made in one buffer for all. When the ring pushes out a line
 * that a reader has not come to, that is counted for this reader and the line's source, and it is told in a line of
 * source memlogd, in place.
 *
 * Bounds: READERS_MAX connections, one more is closed at once; one that does not say within READERS_ASK_MS what it
 * wants is closed. A reader that is stuck has in memory: what its socket has not taken of one line, and the names of at
 * most LOSSES_MAX sources with losses (losses.h), those of the others together. When it has got them, that is given
 * back.
 */
#ifndef MEMLOGD_READERS_H
#define MEMLOGD_READERS_H

#include "lib/loop.h"
#include "memlogd/entry.h"
#include "memlogd/ring.h"

#define READERS_MAX 128
#define READERS_ASK_MS 10000
#define READERS_BATCH 16384 /* bytes that are made and sent at once, and the line that goes over that */

struct reader;

struct readers {
    struct loop *loop;
    struct ring *ring;
    struct loop_source listener;
    int listen_fd, spare_fd; /* the latter is given up for a moment when there is no other */
    unsigned len;
    uint64_t refused, refused_fds;  /* in all: one too many; no descriptor for it */
    void (*wants_tick)(void *data); /* readers_tick() is to be called in a second; set both after readers_init() */
    void *wants_tick_data;
    struct reader *v[READERS_MAX];
    char batch[READERS_BATCH + ENTRY_JSON_MAX(RING_MSG_MAX)];
};

/* Accepts on listen_fd, which stays the caller's. Installs itself as the ring's on_evict. */
int readers_init(struct readers *rs, struct loop *l, struct ring *ring, int listen_fd);
/* A connection that was accepted, non-blocking; is closed by the readers. */
void readers_add(struct readers *rs, int fd);
/* Sends what the ring has got to whoever can take it. */
void readers_pump(struct readers *rs);
/* Sends those away that have asked for nothing for too long, and accepts again. */
void readers_tick(struct readers *rs);

#endif
