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
    bool kernel;      /* NAME-kernel and NAME-initrd.img */
    bool uki;         /* NAME.efi */
    const char *arch; /* "amd64", "arm64"; "": who knows */
};

struct catalog {
    struct appliance v[CATALOG_MAX];
    size_t len;
};

/* Names that do not fit in a URL and a script as they are (letters, digits, . _ -) are left out. */
int catalog_read(const char *dir, struct catalog *c, struct err *e);
/* Those that have a UKI in another folder, too. */
void catalog_add_ukis(struct catalog *c, const char *dir);
/* The first of an architecture that has a UKI, or NULL. */
const struct appliance *catalog_uki(const struct catalog *c, const char *arch);

/* NAME-cmdline, on one line; "" if there is none. */
int catalog_cmdline(const char *dir, const char *name, struct buf *out);
/* The first word of a command line that a script of iPXE cannot hold, which has no quotes; NULL: it can hold all. */
const char *catalog_unfit_word(const char *cmdline, size_t *len);

/*
 * NAME.ipxe: loads kernel and initrd, or the UKI if that is all there is or the script cannot hold the command line.
 * Without a UKI it then says so.
 */
int catalog_script(const struct appliance *a, const char *cmdline, struct buf *out);
/* boot.ipxe: the only one, or a menu of those for the machine's architecture. The first one is booted in the end. */
int catalog_menu(const struct catalog *c, struct buf *out);
/* The index page: a name and its links a line. */
int catalog_index(const struct catalog *c, struct buf *out);

/* True for a name that may be served: no folder, nothing hidden. */
bool catalog_name_ok(const char *name);

#endif
