/* SPDX-License-Identifier: Apache-2.0 */
/* `service attributes`: extended attributes that the initrd could not hold, see lib/attributes.h. */
#ifndef SVCD_ATTRIBUTES_H
#define SVCD_ATTRIBUTES_H

#include "lib/err.h"

/* PID 1 has mounted / read-only already: for this process alone it can be written to from now on. */
int attributes_open_root(struct err *e);

/*
 * Sets those of the table below `root`, "/" or another folder, which nobody else may write to now; links are not
 * followed. A failure is reported, and the next one is set. The table and the step of init.d are removed at the end.
 * Returns failures; no table is none.
 */
unsigned attributes_set(const char *root);

#endif
