/* SPDX-License-Identifier: Apache-2.0 */
/* A daemon that comes back: respawned after a delay that doubles from 100 ms to 5 s, and falls back after 10 s of
 * life. */
#ifndef LIB_RESPAWN_H
#define LIB_RESPAWN_H

#include <stdbool.h>
#include <sys/types.h>

#include "lib/fdstore.h"
#include "lib/loop.h"

struct respawn {
    const char *const *argv; /* must outlive it */
    struct loop *loop;
    struct fdstore *store; /* NULL: nothing is kept for it */
    struct loop_source timer;
    pid_t pid; /* 0: not running */
    uint64_t started_ms;
    unsigned delay_ms;
    bool wanted;
};

/* Starts argv[0], a path; does nothing if there is no such program. */
void respawn_start(struct respawn *d, struct loop *l, const char *const *argv);
/*
 * The same for a daemon whose descriptors are kept in `store` (which must outlive it). The delay is at most 1 s then,
 * as others wait at these descriptors.
 */
void respawn_start_with_store(struct respawn *d, struct loop *l, const char *const *argv, struct fdstore *store);

/* True if pid was this daemon; it is started again later if it is still wanted. */
bool respawn_reaped(struct respawn *d, pid_t pid, int status);

/* Not respawned from now on. With sig, sends it, and SIGCONT to wake a stopped one. True if it has yet to end. */
bool respawn_stop(struct respawn *d, int sig);

/* Delay before the next start, after one that lived lived_ms. Pure; for tests. */
unsigned respawn_next_delay(unsigned delay_ms, uint64_t lived_ms);

#endif
