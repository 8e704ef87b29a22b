/* SPDX-License-Identifier: Apache-2.0 */
/* A daemon that comes back: respawned after a delay that doubles from 100 ms to 10 s, and falls back after 10 s of
 * life. */
#ifndef INIT_SUPERVISE_H
#define INIT_SUPERVISE_H

#include <stdbool.h>
#include <sys/types.h>

#include "lib/loop.h"

struct daemon {
    const char *path;
    struct loop *loop;
    struct loop_source timer;
    pid_t pid; /* 0: not running */
    uint64_t started_ms;
    unsigned delay_ms;
    bool wanted;
};

/* Starts it if the image has it. */
void daemon_start(struct daemon *d, struct loop *l, const char *path);

/* True if pid was this daemon; it is started again later if it is still wanted. */
bool daemon_reaped(struct daemon *d, pid_t pid, int status);

/* Not respawned from now on. With sig, sends it. True if there is something to wait for. */
bool daemon_stop(struct daemon *d, int sig);

/* Delay before the next start, after one that lived lived_ms. Pure; for tests. */
unsigned daemon_next_delay(unsigned delay_ms, uint64_t lived_ms);

#endif
