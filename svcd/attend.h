/* SPDX-License-Identifier: Apache-2.0 */
/* Waits for a one-shot's end: copies its output meanwhile, says that it takes long, and knows its deadline. */
#ifndef SVCD_ATTEND_H
#define SVCD_ATTEND_H

#include <stdint.h>

#include "lib/err.h"

#define ATTEND_NOTICE_MS 30000 /* how often a slow one is named */

/* What comes from `from` (-1: nothing) goes to both. */
struct tee {
    int from, log, console;
};

struct attend {
    const char *who;      /* for the notices */
    struct tee tees[2];   /* .from: non-blocking, the caller's */
    uint64_t deadline_ms; /* on clock_ms(); 0: none */
    uint64_t notice_ms;   /* 0: ATTEND_NOTICE_MS */
};

/*
 * Until pidfd is readable; what is left in the pipes then is copied too. Does not reap. -ETIMEDOUT: the deadline passed
 * first; or a negative errno. What cannot be written to a log or a console is lost; the one-shot goes on.
 */
int attend_end(const struct attend *a, int pidfd);

#endif
