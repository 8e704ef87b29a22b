/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOOLS_OUTPUT_TAR_KERNEL_INITRD_H
#define TOOLS_OUTPUT_TAR_KERNEL_INITRD_H

#include "tools/output/output.h"

/* A tar in `path` ("-": stdout) of kernel, initrd.img, cmdline and ucode.cpio, as far as they are there. */
int output_tar_kernel_initrd_new(const char *path, enum compression compression, struct output **out, struct err *e);

#endif
