/* SPDX-License-Identifier: Apache-2.0 */
/* A service's start as a stage of the boot timeline. */
#ifndef SVCD_STAGE_H
#define SVCD_STAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "svcd/service.h"

/* Up to now, with the CPU time of its container so far, and whom it waited for: those of its `after`, else containerd.
 */
void stage_stamp(const char *timeline, const struct service *s, uint64_t start_ns, bool ok, const char *detail);

#endif
