/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOOLS_OUTPUT_KERNEL_INITRD_H
#define TOOLS_OUTPUT_KERNEL_INITRD_H

#include "tools/output/output.h"

/* What is put behind the name. */
#define KERNEL_SUFFIX "-kernel"
#define INITRD_SUFFIX "-initrd.img"
#define CMDLINE_SUFFIX "-cmdline"
#define UCODE_SUFFIX "-ucode.cpio"

/* BASE-kernel, BASE-initrd.img (cpio newc), BASE-cmdline; microcode goes before the initrd, or into BASE-ucode.cpio. */
int output_kernel_initrd_new(const char *base, enum compression compression, bool ucode_apart, struct output **out,
                             struct err *e);

#endif
