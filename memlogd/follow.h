/* SPDX-License-Identifier: Apache-2.0 */
/* Reading the log, each line once: also from several answers, and on when memlogd has ended and is there again. */
#ifndef MEMLOGD_FOLLOW_H
#define MEMLOGD_FOLLOW_H

#include "lib/err.h"
#include "memlogd/client.h"
#include "memlogd/wire.h"

/* The line as it came, NUL-terminated, and what it says. 0; or a negative errno with *e set: reading ends with that. */
typedef int follow_line_fn(void *data, const char *line, size_t len, const struct ring_entry *entry, struct err *e);
/* There is a pause: what was printed is to be seen. Returns the same. */
typedef int follow_pause_fn(void *data, struct err *e);

struct follow {
    const char *socket;
    follow_line_fn *on_line;
    follow_pause_fn *on_pause; /* or NULL */
    void *data;
    struct resume resume;
    bool unsure; /* whether the line that came last is still there */
};

/* What is there. -ETIMEDOUT, in both: memlogd does not answer. */
int follow_dump(struct follow *f, struct err *e);

/*
 * What comes, and with WIRE_DUMP_FOLLOW before that what is there, but for what came before. When memlogd ends, it goes
 * on with the next one, and warns if lines may be missing there. 0: memlogd has been away for FOLLOW_GONE_MS.
 */
#define FOLLOW_GONE_MS 3000
int follow_on(struct follow *f, enum wire_mode mode, struct err *e);

#endif
