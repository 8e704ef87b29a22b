/* SPDX-License-Identifier: Apache-2.0 */
/* The programs of a directory, run in name order, one at a time, each in a session of its own, on the console. */
#ifndef INIT_STEPS_H
#define INIT_STEPS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/fdutil.h"

struct steps {
    const char *dir;
    const char *label; /* timeline parent: "init.d" */
    struct names names;
    size_t next;
    size_t started;     /* of this directory, so far */
    pid_t pid;          /* of the running one, 0: none */
    const char *output; /* the last that one which ends now has printed; NULL: not known */
    uint64_t start_ns;
    uint64_t dir_start_ns;
};

/* Lists the directory (none: nothing to run) and starts the first. False: nothing runs. */
bool steps_begin(struct steps *s, const char *dir, const char *label);

/*
 * Tells that pid has ended. If it was the running step, reports a failure, and starts the next one; *ended says that
 * it was the last. Returns whether pid was a step.
 */
bool steps_reaped(struct steps *s, pid_t pid, int status, bool *ended);

/* Sends SIGTERM to the running step's session and forgets the rest. */
void steps_abandon(struct steps *s);

/* The step that runs, or NULL. */
const char *steps_current(const struct steps *s);

#endif
