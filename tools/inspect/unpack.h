/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An initrd as the kernel sees it: members one after another, each compressed for itself (zstd, gzip, xz) or not at
 * all, with zeros between them. Memory: 64 KiB of input, and what the decompression needs (a window of 128 MiB at
 * most).
 */
#ifndef TOOLS_INSPECT_UNPACK_H
#define TOOLS_INSPECT_UNPACK_H

#include <stdint.h>
#include <stdio.h>

#include "tools/output/compress.h"

struct unpack;

/* f stays the caller's, and is read from where it stands. */
int unpack_new(FILE *f, struct unpack **out, struct err *e);
/* To the next member. 1: there is one, and how it is packed; 0: there is none; -EBADMSG. */
int unpack_next(struct unpack *u, enum compression *how, struct err *e);
/* At most len bytes of the member; 0 at its end. A member that is not compressed ends with the file: the caller knows.
 */
ssize_t unpack_read(struct unpack *u, void *data, size_t len, struct err *e);
/* Bytes of the file that are used up. */
uint64_t unpack_position(const struct unpack *u);
void unpack_free(struct unpack *u);
DEFINE_AUTO(struct unpack *, unpack_free)
#define AUTO_UNPACK AUTO(unpack_free_auto)

#endif
