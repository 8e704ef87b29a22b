/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether containerd may start beside the one-shots of the boot, or has to wait for their end, as one of them may mount
 * a disk over what it uses. Decided by the bundles and by what else is in init.d; when in doubt, it waits.
 */
#ifndef SVCD_BESIDE_H
#define SVCD_BESIDE_H

#include "lib/err.h"

struct beside_places {
    const char *root; /* "": the root; tests have their own */
    const char *onboot, *init_d;
};

extern const struct beside_places beside_places;

/* 0: it may. -EBUSY: it may not, with the reason in *why; any other error: it could not be decided. */
int beside_check(const struct beside_places *at, struct err *why);

#endif
