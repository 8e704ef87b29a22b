/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How appliances are read: from the file to the file systems and archives in it, to the kernel, the command line and
 * the initrd or root in those. Every payload is read as a stream; what other programs have to look into lies in files
 * without a name, or, an erofs, in a temporary folder.
 */
#ifndef TOOLS_INSPECT_INSPECT_PRIV_H
#define TOOLS_INSPECT_INSPECT_PRIV_H

#include <stdio.h>

#include "tools/inspect/initrd.h"
#include "tools/inspect/inspect.h"

/* A file of the tree. */
int item_count(struct inspection *in, const char *path, bool regular, uint64_t size, uint64_t archived, struct err *e);
/* For initrd_read(), with the inspection as data. */
int item_on_entry(void *data, const struct initrd_entry *entry, struct err *e);
int item_on_member(void *data, const struct initrd_member *member, struct err *e);

/* Each reads f from where it stands to its end. */
typedef int payload_fn(struct inspection *in, FILE *f, struct err *e);
payload_fn payload_kernel, payload_cmdline, payload_loader_config, payload_initrd, payload_uki;

/* Who reads a file of this path on a medium that firmware boots from; NULL: nobody. */
payload_fn *payload_on_medium(const char *path);
static inline bool payload_found(const struct inspection *in) {
    return in->kernel_size || in->has_initrd;
}

/* A tar of the tree, of kernel and initrd, or of a disk; a root file system; what a boot loader reads. */
enum archive_use { ARCHIVE_TAR, ARCHIVE_ROOT, ARCHIVE_MEDIUM };
/* A tar (gzip is seen through) or an ISO, from where fd stands. */
int archive_read_all(struct inspection *in, int fd, enum archive_use use, struct err *e);

/* A raw disk, or the partitions of an ISO. */
int disk_read(struct inspection *in, int fd, struct err *e);
/* A disk in another format, in QEMU's words. */
int disk_convert(struct inspection *in, int fd, const char *format, struct err *e);

/* Root file systems. */
int root_read_squashfs(struct inspection *in, int fd, struct err *e);
int root_read_erofs(struct inspection *in, int fd, struct err *e);

#endif
