/* SPDX-License-Identifier: Apache-2.0 */
/* A boot as a picture: an SVG 1.1 document with a bar a step, along a line of time. */
#ifndef LIB_BOOTCHART_H
#define LIB_BOOTCHART_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/buf.h"

struct bootchart_row {
    const char *name, *detail; /* detail: shown where the pointer rests; "" */
    unsigned depth;            /* indent */
    double start_s, end_s;     /* since the kernel's start */
    bool ok;
};

/* Appends the document. -ENOMEM. */
int bootchart_draw(const char *title, const struct bootchart_row *rows, size_t len, struct buf *out) WARN_UNUSED;

#endif
