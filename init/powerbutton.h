/* SPDX-License-Identifier: Apache-2.0 */
/* ACPI's power button, and everything else that has a power key: input devices. */
#ifndef INIT_POWERBUTTON_H
#define INIT_POWERBUTTON_H

#include "lib/loop.h"

#define POWERBUTTONS_MAX 8

typedef void powerbutton_fn(void *data);

struct powerbuttons {
    struct loop *loop;
    struct {
        int fd; /* 0: free */
        unsigned long device;
        struct loop_source source;
    } v[POWERBUTTONS_MAX];
    powerbutton_fn *fn;
    void *data;
};

void powerbuttons_init(struct powerbuttons *p, struct loop *l, powerbutton_fn *fn, void *data);

/* Looks for devices that have come. Calls fn when the key goes down. */
void powerbuttons_scan(struct powerbuttons *p);

#endif
