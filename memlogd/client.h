/* SPDX-License-Identifier: Apache-2.0 */
/* Reading memlogd's answers line by line. A line of more than CLIENT_LINE_MAX bytes is an error. */
#ifndef MEMLOGD_CLIENT_H
#define MEMLOGD_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/buf.h"
#include "memlogd/ring.h"

#define CLIENT_LINE_MAX ((size_t)1 << 20)

struct client {
    int fd; /* blocking; the caller's */
    struct buf text;
    size_t done;
};

#define CLIENT_INIT(fd_)                                                                                               \
    {                                                                                                                  \
        .fd = (fd_), .text = {.max = CLIENT_LINE_MAX + 65536 }                                                         \
    }

/* The next line without its newline, NUL-terminated, the caller's to change until the next call. 0: the end. 1; <0. */
int client_next(struct client *c, char **line, size_t *len);
void client_fini(struct client *c);

/*
 * After a reconnect the ring is sent again: this finds where to go on. Lines are recognised by what they are, not by
 * where their times stand, as the clock may have been set: the newest RESUME_LINES are remembered, by a hash of time,
 * source and text. In a ring with more lines than that, older ones are told by their times after all.
 */
#define RESUME_LINES 32768

struct resume {
    bool skipping;    /* set it after a reconnect */
    int64_t start_ns; /* if nothing is remembered: what is older is skipped */
    int64_t last_ns;  /* of the last line */
    uint64_t len;     /* lines that were ever remembered */
    uint64_t next;    /* which of them comes next, in all likelihood */
    uint64_t lines[RESUME_LINES];
};

/* True: the line has been dealt with already; else it is remembered. */
bool resume_skip(struct resume *r, const struct ring_entry *line);

#endif
