/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bounds the log files that shims write, while they write. A shim keeps its file open for appending, so the file is
 * copied aside and emptied instead of renamed. The directory is watched, and looked at once in a LOGBOUND_PAUSE_MS at
 * most while something is written there; while nothing is, nothing happens.
 */
#ifndef SVCD_LOGBOUND_H
#define SVCD_LOGBOUND_H

#include <stdint.h>

#include "lib/err.h"
#include "lib/loop.h"

#define LOGBOUND_PAUSE_MS 1000

typedef void logbound_fn(void *data);

struct logbound {
    struct loop *loop;
    const char *dir; /* borrowed */
    logbound_fn *look;
    void *data;
    int fd; /* inotify's, -1 before the first watch */
    int watch;
    struct loop_source written, pause;
};

/* look: something was written in the directory. */
void logbound_init(struct logbound *b, struct loop *l, const char *dir, logbound_fn *look, void *data);
void logbound_fini(struct logbound *b);

/* Begins, unless it has. If something is mounted over the directory, that is watched from the next call on. */
int logbound_watch(struct logbound *b, struct err *e);

/*
 * A regular file with more than `max` bytes: its last 2 * max bytes go to path.0, in place of what was there, and it is
 * empty then. *kept and *lost are what is in path.0, and what is nowhere any more. Returns 1 if it was cut, 0 if it is
 * short enough or not there.
 */
int logbound_cut(const char *path, uint64_t max, uint64_t *kept, uint64_t *lost, struct err *e);

/*
 * The same for one that nobody writes any more, in place, since there may be no room for another file: its last max
 * bytes are what is left of it.
 */
int logbound_shorten(const char *path, uint64_t max, uint64_t *kept, uint64_t *lost, struct err *e);

#endif
