/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When the machine is up: every service is ready, or has done its work, or has failed; one with a health check is
 * ready here once the check has found it well, and has failed if it is unhealthy. What has failed is noted in the boot
 * timeline, and PID 1 is told by a file, so that it writes the boot record.
 */
#ifndef SVCD_UP_H
#define SVCD_UP_H

#include <stdbool.h>

#include "lib/loop.h"

#define UP_FILE "/run/keelson/up"
#define UP_SETTLE_MS 1000 /* what runs is believed to be fine once it has run that long */
#define UP_FAULTS_MAX 3   /* ends of one service after which nobody waits for it any more; also how many are noted */

struct svcd;
struct service;

struct up {
    struct svcd *svcd;
    const char *file, *timeline;
    struct loop_source timer;
    bool begun;     /* the services were asked to start */
    bool announced; /* also if a svcd before this one did it */
};

/* file: made when the machine is up, or there already. Both paths must outlive it. */
void up_init(struct up *u, struct svcd *d, const char *file, const char *timeline);
/* The services were asked to start: from now on it may be announced. */
void up_begin(struct up *u);
/* A service has changed. */
void up_changed(struct up *u, struct service *s);

#endif
