/* SPDX-License-Identifier: Apache-2.0 */
/* Reading memlogd's answers line by line. A line of more than CLIENT_LINE_MAX bytes is an error. */
#ifndef MEMLOGD_CLIENT_H
#define MEMLOGD_CLIENT_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/buf.h"

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
 * After a reconnect the ring is sent again: this finds where to go on. Lines in the ring have strictly increasing times
 * unless the clock was set back.
 */
struct resume {
    long long last_time; /* of the last line that was dealt with */
    bool skipping;
};

/* True: the line of that time has been dealt with already. */
bool resume_skip(struct resume *r, long long time_ns);

#endif
