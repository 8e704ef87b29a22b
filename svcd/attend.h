/* SPDX-License-Identifier: Apache-2.0 */
/* Waits for a one-shot's end: copies its output meanwhile, says that it takes long, and knows its deadline. */
#ifndef SVCD_ATTEND_H
#define SVCD_ATTEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"

#define ATTEND_NOTICE_MS 30000 /* how often a slow one is named */
#define ATTEND_LOG_PATIENCE_MS                                                                                         \
    1000 /* for a log that takes nothing; then what comes is lost until it takes some again */
#define TAIL_MAX 4096

/* The last bytes of an output. */
struct tail {
    char text[TAIL_MAX];
    size_t len;
};

void tail_add(struct tail *t, const char *data, size_t len);
/* Moves the text to the front of its last `lines` lines. */
const char *tail_last_lines(struct tail *t, unsigned lines);

/* What comes from `from` goes to all the others, to the console as make_lines_printable() has it; -1, or NULL: none. */
struct tee {
    int from; /* non-blocking */
    int log, console;
    struct tail *tail;
    bool log_stuck;
    uint64_t lost; /* bytes that the log did not take */
};

#define TEE_NONE                                                                                                       \
    { .from = -1, .log = -1, .console = -1 }

struct attend {
    const char *who;      /* for the notices */
    struct tee *tees[2];  /* NULL: none */
    uint64_t deadline_ms; /* on clock_ms(); 0: none */
    uint64_t notice_ms;   /* 0: ATTEND_NOTICE_MS */
};

/*
 * Until pidfd is readable; what is left in the pipes then is copied too. Does not reap. -ETIMEDOUT: the deadline passed
 * first; or a negative errno. What cannot be written to a log or a console is lost; the one-shot goes on.
 */
int attend_end(const struct attend *a, int pidfd);

#endif
