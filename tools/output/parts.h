/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a bootable image is made of: a kernel, an initrd and a command line, as files in a temporary folder beside the
 * image, and where formats put their own temporary files. They are not changed.
 */
#ifndef TOOLS_OUTPUT_PARTS_H
#define TOOLS_OUTPUT_PARTS_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "tools/output/program.h"

#define CMDLINE_MAX 2047 /* what the kernel takes on x86 and arm64 */

struct parts {
    char dir[PATH_MAX - 64];
    char kernel[PATH_MAX], initrd[PATH_MAX];
    char cmdline[CMDLINE_MAX + 1]; /* on one line */
    const char *arch;              /* amd64, arm64 */
    uint64_t size_mib;             /* of a disk; 0: as small as it can be */
    unsigned char id[32];          /* SHA-256 of all three: what ids in the image are made of */
};

/* Looks at BASE-kernel, BASE-initrd.img and BASE-cmdline, and whether the kernel can boot at all. */
int parts_load(struct parts *p, const char *dir, const char *base, const char *arch, struct err *e);

/* DIR/NAME in out (PATH_MAX bytes). */
int parts_path(const struct parts *p, const char *name, char *out, struct err *e);
/* Writes a file into the folder; out (PATH_MAX bytes) gets its path. */
int parts_text(const struct parts *p, const char *name, const char *text, char *out, struct err *e);
/* Gives a file IMAGE_TIME. */
int parts_set_time(const char *path, struct err *e);
int parts_size(const char *path, uint64_t *size, struct err *e);

/* A UUID from the id; n makes several of them. out has 37 bytes. */
void parts_uuid(const struct parts *p, unsigned n, char *out);
/* The same for 32 bits. */
uint32_t parts_serial(const struct parts *p);

/* Makes the image's file; it does not exist yet. */
typedef int image_make_fn(const struct parts *p, const char *out, struct err *e);

image_make_fn make_iso_bios, make_iso_efi, make_iso_hybrid, make_raw_bios, make_raw_efi, make_uki;
image_make_fn make_qcow2_bios, make_qcow2_efi, make_vmdk, make_vhd, make_dynamic_vhd, make_gcp, make_rpi3;

#endif
