/* SPDX-License-Identifier: Apache-2.0 */
/* What waited for what, in a boot timeline (lib/timeline.h). */
#ifndef LIB_WAITS_H
#define LIB_WAITS_H

#include "lib/timeline.h"

/*
 * Where those are in v whose end the stage at i waited for. If it tells that itself, they are the last of each name
 * that it knows; if not, it is the one that ended last before it began, of those of its parent. Whoever had not ended
 * by then was not waited for. Returns how many.
 */
size_t waits_find(const struct timeline_entry *v, size_t len, size_t i, size_t out[TIMELINE_AFTER_MAX]);

#endif
