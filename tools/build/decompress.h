/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOOLS_BUILD_DECOMPRESS_H
#define TOOLS_BUILD_DECOMPRESS_H

#include <stdint.h>
#include <stdio.h>

#include "tools/image/entry.h"

#define KERNEL_MAX ((uint64_t)1 << 30) /* of what comes out */

/*
 * The kernel inside a kernel: of a file that is compressed (gzip, xz, zstd, lz4, lzma, bzip2), what is in it; of an x86
 * bzImage its payload, an ELF file. *out is a temporary file without a name, at its start. -EINVAL: it is neither.
 */
int kernel_decompress(const struct entry_content *content, FILE **out, uint64_t *size, struct err *e);

#endif
