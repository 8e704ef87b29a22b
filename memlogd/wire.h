/* SPDX-License-Identifier: Apache-2.0 */
/* What memlogd and its clients agree on: contract section 4. */
#ifndef MEMLOGD_WIRE_H
#define MEMLOGD_WIRE_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/err.h"

#define WIRE_QUERY_SOCKET "/var/run/memlogdq.sock"
#define WIRE_LOG_SOCKET "/var/run/linuxkit-external-logging.sock"

enum wire_mode { WIRE_DUMP = 0, WIRE_FOLLOW = 1, WIRE_DUMP_FOLLOW = 2 };

/* A bound socket of that type (SOCK_STREAM: listening), non-blocking, any local user's to reach only as `mode` says. */
int wire_bind(const char *path, int type, unsigned mode, struct err *e);
/* A socket connected to path; non-blocking if `nonblock`. */
int wire_connect(const char *path, int type, bool nonblock, struct err *e);
/* Connects and asks; returns a blocking descriptor to read lines from. */
int wire_query(const char *path, enum wire_mode mode, struct err *e);
/* Gives fd to memlogd: lines that can be read from it are the source's. Does not block: -EAGAIN if it is busy. */
int wire_send_source(const char *path, const char *name, int fd, struct err *e);

#endif
