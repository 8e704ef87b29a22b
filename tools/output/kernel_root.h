/* SPDX-License-Identifier: Apache-2.0 */
/* kernel+squashfs, kernel+erofs, kernel+iso: the tree as the image of a disk or CD, for kernels that mount it
 * themselves. */
#ifndef TOOLS_OUTPUT_KERNEL_ROOT_H
#define TOOLS_OUTPUT_KERNEL_ROOT_H

#include "tools/output/format.h"

/* BASE-kernel, BASE-cmdline and the image in `path`, which has boot/ without its files; microcode is left out. */
int output_kernel_root_new(const char *base, const char *path, enum root_kind kind, struct output **out, struct err *e);

#endif
