/* SPDX-License-Identifier: Apache-2.0 */
/* Tells when devices come or go: inotify on /dev, which needs neither udev nor the host's network namespace. */
#ifndef RUNGETTY_WATCH_H
#define RUNGETTY_WATCH_H

#include "lib/loop.h"

typedef void watch_fn(void *data);

struct watch {
    int fd;
    struct loop_source source;
    watch_fn *fn;
    void *data;
};

/* Calls fn when names in the directory have come or gone, once for all that the kernel tells at a time. */
int watch_start(struct watch *w, struct loop *l, const char *dir, watch_fn *fn, void *data);
void watch_stop(struct watch *w, struct loop *l);

#endif
