/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log daemon: sources in, readers out, one loop. Everything that must outlive the process is in a memfd and in the
 * descriptors that PID 1 keeps: the ring, the lines that have begun, the sources, the sockets.
 */
#ifndef MEMLOGD_MEMLOGD_H
#define MEMLOGD_MEMLOGD_H

#include <sys/socket.h>

#include "lib/err.h"
#include "lib/loop.h"
#include "memlogd/intake.h"
#include "memlogd/keeper.h"
#include "memlogd/readers.h"
#include "memlogd/ring.h"
#include "memlogd/state.h"

struct memlogd;

struct memlogd_source {
    struct memlogd *all;
    struct loop_source source;
    int fd;
    enum receive_kind kind;
    bool quiet; /* it was said to have something, and had nothing: told of what comes new only */
};

struct memlogd {
    struct memlogd_config config;
    struct loop loop;
    struct loop_source log, syslog, tick;
    int log_fd, query_fd, state_fd; /* set log_fd and query_fd before memlogd_start() */
    int syslog_fd;                  /* and this one, -1 without */
    int store;                      /* lib/fdstore.h; -1 without */
    int tick_fd;                    /* a timer: whatever is done a little later */
    bool ticking;
    int source_fds; /* descriptors from this number on are not for sources */
    struct ring ring;
    struct intake intake;
    struct keeper keeper;
    struct readers readers;
    struct {
        socklen_t len;
        struct sockaddr_storage address;
    } query_address;
    struct memlogd_source sources[INTAKE_SLOTS];
    uint64_t refused;                           /* descriptors, since the last report */
    bool refusing;                              /* one was told since the last tick */
    uint64_t readers_told, readers_told_of_fds; /* refused readers that were reported */
};

/* Maps the state in state_fd (state.h), or a new one. Then add kept sources, then start. */
int memlogd_open_state(struct memlogd *m, struct state_found *found, struct err *e);
/* A source's descriptor of an earlier life; is closed if nobody knows it any more. */
void memlogd_adopt_source(struct memlogd *m, unsigned slot, int fd);
/* Gives sockets and state to the store, and listens. */
int memlogd_start(struct memlogd *m, struct err *e);
/* A line of source memlogd. */
void memlogd_say(struct memlogd *m, const char *fmt, ...) PRINTF_LIKE(2, 3);

#endif
