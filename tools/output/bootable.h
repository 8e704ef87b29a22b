/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a file is, by what is in it and not by its name: something that boots, or another form of an appliance. The one
 * table of that, for `keelson run`, `keelson inspect` and those who make images.
 */
#ifndef TOOLS_OUTPUT_BOOTABLE_H
#define TOOLS_OUTPUT_BOOTABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"

enum bootable_kind {
    BOOTABLE_UNKNOWN,
    BOOTABLE_KERNEL, /* bzImage, arm64 Image */
    BOOTABLE_UKI,    /* a PE program with a kernel in it */
    BOOTABLE_EFI,    /* any other PE program for EFI */
    BOOTABLE_ISO,
    BOOTABLE_RAW, /* a partition table */
    BOOTABLE_QCOW2,
    BOOTABLE_VMDK,
    BOOTABLE_VHD, /* dynamic; a fixed one is a raw disk with something behind it */
    BOOTABLE_TAR, /* may be compressed with gzip */
    BOOTABLE_SQUASHFS,
    BOOTABLE_EROFS,
};

struct bootable {
    enum bootable_kind kind;
    const char *arch; /* of a kernel or PE program: "amd64", "arm64"; else "" */
    bool bios, efi;   /* of an ISO or a raw disk: which firmware it is made for */
    bool elsewhere;   /* a qcow2 or vmdk that says it goes on in another file, or wherever it likes */
};

#define BOOTABLE_HEAD ((size_t)64 << 10) /* what is looked at */

/* Reads the file's head (an ISO's boot catalogue too). An unknown file is no error. */
int bootable_look(const char *path, struct bootable *b, struct err *e);
/* The same of an open file, whose position is changed. 0 or -errno. */
int bootable_look_fd(int fd, struct bootable *b);
/* The same from the first bytes; an ISO's firmware needs its file. For tests. */
void bootable_parse(const unsigned char *head, size_t len, struct bootable *b);
/* The boot catalogue of an ISO: 2048 bytes. */
void bootable_parse_catalog(const unsigned char *catalog, size_t len, struct bootable *b);

/* A PE program's section (".linux"): its header, PE_SECTION bytes in the head of the file. NULL: there is none. */
#define PE_SECTION 40
const unsigned char *bootable_section(const unsigned char *head, size_t len, const char *name);

/* "a UKI" */
const char *bootable_name(enum bootable_kind kind);
/* Whether a machine boots it alone. */
bool bootable_boots(enum bootable_kind kind);
/* A disk's format in QEMU's words; "": it is no disk. */
const char *bootable_disk_format(enum bootable_kind kind);

#endif
