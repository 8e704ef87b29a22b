/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SVCD_BOOT_TABLE_H
#define SVCD_BOOT_TABLE_H

#include <jansson.h>

#include "lib/buf.h"
#include "lib/err.h"

/*
 * The boot timeline as a table: a line a stage, indented under its parent, in order of their start; seconds since the
 * kernel's start, duration, CPU time ("-": not known), and why it failed if it did.
 */
int boot_table(const json_t *timeline, struct buf *out, struct err *e);

/* The same as a picture: lib/bootchart.h. */
int boot_chart(const json_t *timeline, struct buf *out, struct err *e);

#endif
