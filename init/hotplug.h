/* SPDX-License-Identifier: Apache-2.0 */
/* New devices after the start: the kernel's uevents say that there is something to look at. */
#ifndef INIT_HOTPLUG_H
#define INIT_HOTPLUG_H

#include "lib/loop.h"

typedef void hotplug_fn(void *data);

struct hotplug {
    int fd;
    struct loop_source source;
    hotplug_fn *fn;
    void *data;
};

/* Calls fn whenever a device with a modalias was added. Returns 0 or a negative errno. */
int hotplug_start(struct hotplug *h, struct loop *l, hotplug_fn *fn, void *data);

/* True if a uevent of len bytes (NUL-separated words) tells of such a device. */
bool uevent_wants_module(const char *msg, size_t len);

#endif
