/* SPDX-License-Identifier: Apache-2.0 */
/* A FAT file system made without mounting it, alone in a file or in a partition of a disk. */
#ifndef TOOLS_OUTPUT_FAT_H
#define TOOLS_OUTPUT_FAT_H

#include <stdint.h>

#include "tools/output/parts.h"

struct fat_file {
    const char *from; /* on the host */
    const char *to;   /* "EFI/BOOT/BOOTX64.EFI" */
};

#define FAT_MIB ((uint64_t)1 << 20)
#define FAT_NEEDS                                                                                                      \
    {"mkfs.vfat", "dosfstools"}, {"mcopy", "mtools"}, {                                                                \
        "mmd", "mtools"                                                                                                \
    }

/* Bytes that a file system with these files needs, in whole MiB. */
int fat_bytes(const struct fat_file *files, size_t len, uint64_t *bytes, struct err *e);

/* Makes the file system at `offset` of the file, which is made or made longer if it is too short. */
int fat_make(const struct parts *p, const char *image, uint64_t offset, uint64_t bytes, const char *label,
             const struct fat_file *files, size_t len, struct err *e);

/* Makes a file of that many bytes, all holes. */
int make_sparse(const char *path, uint64_t bytes, struct err *e);

#endif
