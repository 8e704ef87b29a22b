/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kernel+initrd whose root stays compressed in memory: the initrd holds a squashfs or erofs of the tree, the modules
 * that mount it, and the appliance's own init, which knows what to do with them (init/small_root.h).
 */
#ifndef TOOLS_OUTPUT_SMALL_ROOT_H
#define TOOLS_OUTPUT_SMALL_ROOT_H

#include "tools/output/format.h"

#define SMALL_ROOT_MODULES_MAX 16 /* modules that may be taken */

/* The same files as output_kernel_initrd_new(); the initrd is not compressed once more. */
int output_small_root_new(const char *base, enum root_kind kind, struct output **out, struct err *e);

#endif
