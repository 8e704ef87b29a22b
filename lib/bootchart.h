/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A boot as a picture: an SVG 1.1 document with a bar a step, along a line of time. The darker part of a bar is as long
 * as the CPU time of the step's processes; a thin line leads to its begin from the end of what it waited for.
 */
#ifndef LIB_BOOTCHART_H
#define LIB_BOOTCHART_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/buf.h"
#include "lib/timeline.h"

struct bootchart_row {
    const char *name, *detail; /* detail: shown where the pointer rests; "" */
    unsigned depth;            /* indent */
    double start_s, end_s;     /* since the kernel's start */
    double cpu_s;              /* 0: not known */
    bool ok;
    size_t waits[TIMELINE_AFTER_MAX]; /* rows whose end it waited for */
    size_t waits_len;
};

struct bootchart {
    const struct bootchart_row *rows;
    size_t len;
    size_t more; /* steps that are not among the rows: there was no place for them */
};

/* Appends the document. -ENOMEM. */
int bootchart_draw(const struct bootchart *c, struct buf *out) WARN_UNUSED;

#endif
