/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who reads: connections of the query socket. A reader is a place in the ring and a small buffer of text that its
 * socket has not taken yet; the ring is its queue. When the ring pushes out a line that a reader has not come to, that
 * is counted for this reader and the line's source, and it is told in a line of source memlogd, in place.
 *
 * Bounds: READERS_MAX connections, one more is closed at once; one that does not say within 10 s what it wants is
 * closed; for each, one buffer, and loss counters of 16 sources by name and of the others together.
 */
#ifndef MEMLOGD_READERS_H
#define MEMLOGD_READERS_H

#include "lib/loop.h"
#include "memlogd/ring.h"

#define READERS_MAX 128

struct reader;

struct readers {
    struct loop *loop;
    struct ring *ring;
    struct loop_source listener;
    int listen_fd;
    size_t out_size; /* of a reader's buffer */
    unsigned len;
    uint64_t refused;               /* in all */
    void (*on_refused)(void *data); /* set both after readers_init(), or neither */
    void *refused_data;
    struct reader *v[READERS_MAX];
};

/* Accepts on listen_fd, which stays the caller's. Installs itself as the ring's on_evict. */
int readers_init(struct readers *rs, struct loop *l, struct ring *ring, int listen_fd, uint32_t max_line_len);
/* Sends what the ring has got to whoever can take it. */
void readers_pump(struct readers *rs);
void readers_fini(struct readers *rs);

#endif
