/* SPDX-License-Identifier: Apache-2.0 */
/* What memlogd says about sources, as its readers understand it. */
#ifndef MEMLOGD_NOTICE_H
#define MEMLOGD_NOTICE_H

#include <stdbool.h>

#include "memlogd/ring.h"

/* Does the line (from entry_parse()) tell that something of that source is lost, or may be? */
bool notice_concerns(const struct ring_entry *line, const char *source);

#endif
