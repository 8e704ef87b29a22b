/* SPDX-License-Identifier: Apache-2.0 */
/* What is booted, and how: found out from the files. */
#ifndef TOOLS_RUN_BOOT_H
#define TOOLS_RUN_BOOT_H

#include <limits.h>

#include "tools/output/bootable.h"
#include "tools/run/options.h"

struct run_boot {
    struct bootable is;
    char path[RUN_PATH_MAX];     /* the image; for a kernel the prefix of its three files */
    char root[RUN_PATH_MAX];     /* the disk that a kernel has instead of an initrd; "": it has one */
    char format[16];             /* of a disk, in QEMU's words */
    char data_iso[RUN_PATH_MAX]; /* a CD with user data; "": none */
    bool efi;                    /* needs UEFI firmware */
    char firmware[RUN_PATH_MAX], variables[RUN_PATH_MAX];
};

/*
 * Looks at NAME if it is a file, else at NAME-kernel, with NAME-initrd.img or the disk of kernel+squashfs and its like.
 * Settles the firmware, from --uefi, --fw or what the image is made
 * for, and the architecture unless it was asked for. The error says what NAME is if it cannot be booted.
 */
int boot_find(struct run_options *o, struct run_boot *b, struct err *e);

/* What QEMU would say less clearly: memory too small for the files, ports that are taken. */
int boot_check(const struct run_options *o, const struct run_boot *b, struct err *e);

#endif
