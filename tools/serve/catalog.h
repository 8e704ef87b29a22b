/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What can be booted from a folder: NAME-kernel with NAME-initrd.img and NAME-cmdline, and NAME.efi (a UKI). At most
 * CATALOG_MAX names; those beyond are not served, and a warning says so.
 */
#ifndef TOOLS_SERVE_CATALOG_H
#define TOOLS_SERVE_CATALOG_H

#include <stdbool.h>

#include "lib/buf.h"
#include "lib/err.h"

#define CATALOG_MAX 64
#define CATALOG_NAME_MAX 64

struct appliance {
    char name[CATALOG_NAME_MAX];
    bool kernel; /* NAME-kernel and NAME-initrd.img */
    bool uki;    /* NAME.efi */
};

struct catalog {
    struct appliance v[CATALOG_MAX];
    size_t len;
};

/* Names that do not fit in a URL and a script as they are (letters, digits, . _ -) are left out. */
int catalog_read(const char *dir, struct catalog *c, struct err *e);

/* NAME.ipxe: loads kernel and initrd, or the UKI if that is all there is. cmdline: on one line. */
int catalog_script(const struct appliance *a, const char *cmdline, struct buf *out);
/* boot.ipxe: a menu of all, or the only one. */
int catalog_menu(const struct catalog *c, struct buf *out);
/* The index page: a name and its links a line. */
int catalog_index(const struct catalog *c, struct buf *out);

/* True for a name that may be served: no folder, nothing hidden. */
bool catalog_name_ok(const char *name);

#endif
