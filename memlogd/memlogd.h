/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log daemon: sources in, readers out, one loop. Everything that must outlive the process is in a memfd and in the
 * descriptors that PID 1 keeps (lib/fdstore.h): the ring, the lines that have begun, the sources, the two sockets.
 */
#ifndef MEMLOGD_MEMLOGD_H
#define MEMLOGD_MEMLOGD_H

#include "lib/err.h"
#include "lib/loop.h"
#include "memlogd/intake.h"
#include "memlogd/readers.h"
#include "memlogd/ring.h"

/* Keys of kept descriptors: a source's slot, or one of these. */
enum memlogd_key { MEMLOGD_KEY_STATE = 0x10000, MEMLOGD_KEY_LOG, MEMLOGD_KEY_QUERY };

struct memlogd_config {
    int64_t max_lines, max_line_len, max_bytes;
};

struct memlogd;

struct memlogd_source {
    struct memlogd *all;
    struct loop_source source;
    int fd;
};

struct memlogd {
    struct memlogd_config config;
    struct loop loop;
    struct loop_source log, report;
    int log_fd, query_fd, state_fd; /* set log_fd and query_fd before memlogd_start() */
    int store;                      /* lib/fdstore.h; -1 without */
    struct ring ring;
    struct intake intake;
    struct readers readers;
    struct memlogd_source sources[INTAKE_SLOTS];
    uint64_t refused;      /* descriptors, since the last report */
    uint64_t readers_told; /* refused readers that were reported */
};

/*
 * Maps the state in state_fd, or a new one if it is -1 or not of this shape. *kept is true if there were lines. Then
 * add kept sources, then start.
 */
int memlogd_open_state(struct memlogd *m, bool *kept, struct err *e);
/* A source's descriptor of an earlier life; is closed if nobody knows it any more. */
void memlogd_adopt_source(struct memlogd *m, unsigned slot, int fd);
/* Gives sockets and state to the store, and listens. */
int memlogd_start(struct memlogd *m, struct err *e);
/* A line of source memlogd. */
void memlogd_say(struct memlogd *m, const char *fmt, ...) PRINTF_LIKE(2, 3);
void memlogd_fini(struct memlogd *m);

#endif
