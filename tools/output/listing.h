/* SPDX-License-Identifier: Apache-2.0 */
/* Entries in a file of one's own, for who has to know of them without their contents. Memory: one entry. */
#ifndef TOOLS_OUTPUT_LISTING_H
#define TOOLS_OUTPUT_LISTING_H

#include <stdio.h>

#include "lib/buf.h"
#include "tools/image/entry.h"

#define LISTING_SHA1 20

/* Writes one entry. entry->sha1: of a regular file; kept: its contents, if they are to be listed, too; else NULL. */
int listing_write(FILE *f, const struct entry *entry, const struct buf *kept, struct err *e);

/* Calls fn for each entry from where f stands on, `size` bytes. Contents are those that were kept, or empty. */
int listing_read(FILE *f, uint64_t size, entry_fn *fn, void *data, struct err *e);

#endif
