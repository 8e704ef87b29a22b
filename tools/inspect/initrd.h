/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOOLS_INSPECT_INITRD_H
#define TOOLS_INSPECT_INITRD_H

#include "tools/inspect/unpack.h"

/* One entry of a cpio archive. */
struct initrd_entry {
    const char *path; /* without leading slash or ./ */
    uint32_t mode;
    uint64_t size;     /* of its contents; of a link's target */
    uint64_t archived; /* bytes that it takes in the archive */
};

/* The end of a member of the initrd: how it was compressed, and how long it is in the file. */
struct initrd_member {
    enum compression how;
    uint64_t stored, unpacked;
};

struct initrd_reader {
    int (*entry)(void *data, const struct initrd_entry *entry, struct err *e);
    int (*member)(void *data, const struct initrd_member *member, struct err *e);
    void *data;
};

/* Reads an initrd from where f stands to its end; *size: the bytes that were read. */
int initrd_read(FILE *f, const struct initrd_reader *reader, uint64_t *size, struct err *e);

#endif
