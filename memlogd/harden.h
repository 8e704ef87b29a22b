/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MEMLOGD_HARDEN_H
#define MEMLOGD_HARDEN_H

#include "lib/err.h"

#define HARDEN_ID 64646 /* user and group that nothing else has */

/*
 * For good: no new privileges, no capabilities, an own user and group if it was root and where that is possible, and a
 * seccomp filter of what a daemon on lib/loop.h with Unix sockets needs; anything else fails with EPERM.
 */
int harden(struct err *e);

#endif
