/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The memory that outlives memlogd: a memfd with the ring, the sources, and the lines that have begun. It has a shape,
 * which follows from the options; when these have changed, what is in it is taken over into a new one.
 */
#ifndef MEMLOGD_STATE_H
#define MEMLOGD_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/err.h"
#include "memlogd/intake.h"
#include "memlogd/ring.h"

struct memlogd_config {
    int64_t max_lines, max_line_len, max_bytes;
};

struct state_found {
    bool lines;        /* there were some */
    bool changed;      /* it had another shape */
    bool unknown;      /* there was one, but it could not be understood: all that was in it is lost */
    uint64_t too_many; /* lines that have no room in the new one */
};

/*
 * Maps the state in *fd, which may be -1; if that has not the shape that the options ask for, *fd becomes another one.
 * now_ns: for what was read but had not become lines yet.
 */
int state_open(int *fd, const struct memlogd_config *c, struct ring *ring, struct intake *intake, int64_t now_ns,
               struct state_found *found, struct err *e);

#endif
