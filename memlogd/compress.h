/* SPDX-License-Identifier: Apache-2.0 */
/* Linked in two ways: with libzstd (compress_zstd.c), or, for the program in memlogd's own image, without. */
#ifndef MEMLOGD_COMPRESS_H
#define MEMLOGD_COMPRESS_H

#include <stdbool.h>

#include "lib/err.h"

/* Can compress_file() do anything? */
bool compress_available(void);

/*
 * Writes what is in `from` to `to` as zstd, level 3; replaces what is there. Written aside and renamed: `to` is whole
 * or as it was. With sync it is on the disk before that. Takes about a second for 200 MB and some MiB of memory
 * meanwhile. -ENOTSUP if it is not available.
 */
int compress_file(const char *from, const char *to, bool sync, struct err *e);

#endif
