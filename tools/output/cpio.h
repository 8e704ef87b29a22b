/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cpio in the newc format, as the kernel unpacks it. Inode numbers count up from 1. The first name of a hard-linked
 * file carries the contents, the others have its inode number and no contents; this is what the kernel's reader wants.
 */
#ifndef TOOLS_OUTPUT_CPIO_H
#define TOOLS_OUTPUT_CPIO_H

#include <jansson.h>

#include "tools/output/stream.h"

struct cpio {
    struct stream *stream;
    uint32_t last_ino;
    json_t *linked; /* path -> inode number of files with several names */
};

int cpio_init(struct cpio *c, struct stream *stream, struct err *e);
int cpio_add(struct cpio *c, const struct entry *entry, const struct entry_content *content, struct err *e);
int cpio_end(struct cpio *c, struct err *e); /* the trailer, padded to 512 bytes; the stream stays open */
void cpio_fini(struct cpio *c);

#endif
