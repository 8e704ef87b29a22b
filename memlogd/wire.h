/* SPDX-License-Identifier: Apache-2.0 */
/* What memlogd and its clients agree on: contract section 4. */
#ifndef MEMLOGD_WIRE_H
#define MEMLOGD_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"

#define WIRE_QUERY_SOCKET "/var/run/memlogdq.sock"
#define WIRE_LOG_SOCKET "/var/run/linuxkit-external-logging.sock"

/*
 * WIRE_RESUME is keelson's own: the byte, and struct wire_resume behind it in the same write. As WIRE_DUMP_FOLLOW, but
 * the lines have numbers ("ring", "seq"), and it begins with the line of that number, if the ring is that one; what was
 * pushed out since is counted in a line of source memlogd. LinuxKit's memlogd does not answer it.
 */
struct wire_resume {
    uint64_t ring_id, seq; /* 0: from the oldest line on */
};

enum wire_mode { WIRE_DUMP = 0, WIRE_FOLLOW = 1, WIRE_DUMP_FOLLOW = 2, WIRE_RESUME = 3 };

/* A bound socket of that type (SOCK_STREAM: listening), non-blocking, any local user's to reach only as `mode` says. */
int wire_bind(const char *path, int type, unsigned mode, struct err *e);
/* How long memlogd may be silent to who waits for it. */
#define WIRE_PATIENCE_MS 10000
/* A socket connected to path; non-blocking if `nonblock`, else what is sent there takes WIRE_PATIENCE_MS at most. */
int wire_connect(const char *path, int type, bool nonblock, struct err *e);
/* Reading from it ends with -EAGAIN when nothing has come for WIRE_PATIENCE_MS. */
int wire_limit_reads(int fd);
/* Connects and asks; returns a blocking descriptor to read lines from; of a dump reads are limited. -ETIMEDOUT. */
int wire_query(const char *path, enum wire_mode mode, struct err *e);
int wire_query_resume(const char *path, struct wire_resume from, struct err *e);
/* Gives fd to memlogd: lines that can be read from it are the source's. Does not block: -EAGAIN if it is busy. */
int wire_send_source(const char *path, const char *name, int fd, struct err *e);

#endif
