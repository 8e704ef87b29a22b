/* SPDX-License-Identifier: Apache-2.0 */
/* The root and everything that is mounted on it before any process of the image runs. */
#ifndef INIT_MOUNTS_H
#define INIT_MOUNTS_H

#include <stdbool.h>

/*
 * An initramfs root cannot be pivoted away from, because nothing is below it. A bind mount of it, moved over it, can:
 * no file is copied. Any other root stays as it is.
 */
void root_make_pivotable(void);

/* /proc, which says what the others depend on. */
void mounts_make_proc(void);

/* All other mounts, directories, device nodes and links. What fails is reported, and the next one is tried. */
void mounts_make(bool cgroup_v1);

#endif
