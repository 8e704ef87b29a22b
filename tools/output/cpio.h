/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cpio in the newc format, as the kernel unpacks it. Inode numbers count up from 1. The first name of a hard-linked
 * file carries the contents, the others have its inode number and no contents; this is what the kernel's reader wants.
 * A hard link to a symlink becomes a symlink: that reader knows no other.
 *
 * An initrd is a row of archives, and a file of a later one may stand where one of an earlier one does. The kernel
 * writes into what is there, so all names of that file would get the new contents, and a device stays what it was. It
 * removes a name only if that becomes something else: so before such a file comes a link of that name.
 */
#ifndef TOOLS_OUTPUT_CPIO_H
#define TOOLS_OUTPUT_CPIO_H

#include "tools/image/pathmap.h"
#include "tools/output/stream.h"

struct cpio_shared;

/* The archives of one initrd. Holds the names of what has several of them, and of devices. */
struct cpio {
    struct stream *stream;
    uint32_t last_ino;
    uint32_t archives, archive; /* how many have begun; the number of the one that is written */
    struct pathmap names;       /* -> index into shared, from 1 */
    struct cpio_shared *shared;
    size_t shared_len, shared_cap;
};

void cpio_init(struct cpio *c);
/* The next archive begins. */
void cpio_begin(struct cpio *c, struct stream *stream);
int cpio_add(struct cpio *c, const struct entry *entry, const struct entry_content *content, struct err *e);
int cpio_end(struct cpio *c, struct err *e); /* the trailer, padded to 512 bytes; the stream stays open */
void cpio_fini(struct cpio *c);

/* An archive that was made apart comes next: its number. All its entries are to be told before it is put there. */
uint32_t cpio_begin_apart(struct cpio *c);
/* *replaces: its name has to be removed before, with cpio_remove() in an archive that is begun and ended. */
int cpio_tell(struct cpio *c, uint32_t archive, const struct entry *entry, bool *replaces, struct err *e);
int cpio_remove(struct cpio *c, const char *path, struct err *e);

#endif
