/* SPDX-License-Identifier: Apache-2.0 */
/* /dev/watchdog, fed while PID 1's loop turns. Left armed through a shutdown: one that hangs ends in a reset. */
#ifndef INIT_WATCHDOG_H
#define INIT_WATCHDOG_H

#include "lib/loop.h"

struct watchdog {
    struct loop *loop;
    struct loop_source timer;
    int fd;
    unsigned feed_ms;
};

/* Arms it for `seconds` (the device may choose another time: it is said) and feeds it at half of that. */
void watchdog_start(struct watchdog *w, struct loop *l, unsigned seconds);

/* Before halt: nobody will feed it any more, and that is meant. */
void watchdog_disarm(struct watchdog *w);

#endif
