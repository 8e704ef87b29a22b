/* SPDX-License-Identifier: Apache-2.0 */
/* The formats that an appliance can be written in, by name. */
#ifndef TOOLS_OUTPUT_FORMAT_H
#define TOOLS_OUTPUT_FORMAT_H

#include <stdbool.h>
#include <stdint.h>

#include "tools/output/output.h"

/* Where the root file system of an image is: unpacked into memory, or in an image. The last is for disks only. */
enum root_kind { ROOT_INITRAMFS, ROOT_SQUASHFS, ROOT_EROFS, ROOT_ISO };

struct format_order {
    const char *base;             /* NAME, with its folder: what the format's suffix is put behind */
    const char *path;             /* the file itself, for formats of one file; NULL: base and suffix */
    const char *arch;             /* amd64, arm64 */
    enum compression compression; /* of the initrd */
    enum root_kind root;
    uint64_t size_mib; /* of a disk; 0: as small as it can be */
};

/* Before anything is built: is the name known, is it for this architecture, and are its programs there? */
int format_check(const char *name, const struct format_order *order, struct err *e);
int format_open(const char *name, const struct format_order *order, struct output **out, struct err *e);

#define FORMATS_MAX 32
#define FORMAT_NAME_MAX 32

/* Formats that are made at once. */
struct format_list {
    char names[FORMATS_MAX][FORMAT_NAME_MAX];
    size_t len;
};

/* Adds names, separated by commas; one that is there already counts once. */
int format_list_add(struct format_list *l, const char *words, struct err *e);
/* format_check() for all of them, and whether each has files of its own. */
int format_list_check(const struct format_list *l, const struct format_order *order, struct err *e);

/* The i-th name; NULL: no more. */
const char *format_name(size_t i);

/* What the root of the i-th format whose root is a disk beside the kernel has behind NAME: "-squashfs.img" first. */
const char *format_root_suffix(size_t i);

/* Kernel, initrd and command line in files that begin with `base`, as the order says. */
int format_open_kernel_initrd(const char *base, const struct format_order *order, struct output **out, struct err *e);

#endif
