/* SPDX-License-Identifier: Apache-2.0 */
/* What is in an appliance that was built: by its parts, and what it takes to boot it. */
#ifndef TOOLS_INSPECT_INSPECT_H
#define TOOLS_INSPECT_INSPECT_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/buf.h"
#include "lib/err.h"

#define ITEMS_MAX 4096
#define ITEM_NAME_MAX 256

/* A container, a volume, or what is nobody's: the root and the kernel's modules. */
struct item {
    char kind[16]; /* "services", "onboot", "onshutdown", "volumes", "root", "modules" */
    char name[ITEM_NAME_MAX];
    uint64_t files;
    uint64_t size;     /* of all contents */
    uint64_t pages;    /* in memory: whole pages of 4 KiB */
    double compressed; /* its share of the initrd's members */
    uint64_t archived; /* in the member that is read */
};

struct inspection {
    char *name;
    char *cmdline;                       /* NULL: none */
    char kernel[128];                    /* version; "": unknown */
    uint64_t kernel_size, kernel_memory; /* of the file; what it takes while it runs; 0: unknown */
    bool has_initrd;                     /* else it is a tree: no part of it is compressed for itself */
    bool bios, efi;                      /* which firmware boots it, as far as that is settled */
    const char *root;                    /* "squashfs", "erofs", "iso"; NULL: the tree is in none of them */
    uint64_t root_size;
    uint64_t initrd_size;
    uint64_t members; /* of the initrd */
    struct item *items;
    size_t items_len;
};

/* NAME of a kernel with its initrd or root, or the file of any other format. */
int inspect_read(const char *name, struct inspection *in, struct err *e);
void inspect_free(struct inspection *in);
#define AUTO_INSPECTION AUTO(inspect_free)

/* Sums over the items. */
uint64_t inspect_size(const struct inspection *in);
uint64_t inspect_pages(const struct inspection *in);
/* "bios", "efi", "bios+efi"; NULL: not settled. */
const char *inspect_firmware(const struct inspection *in);
/* MiB of memory that a machine needs to get to its services; 0: cannot be told, as UEFI takes memory of its own. */
uint64_t inspect_least_mib(const struct inspection *in);

/* Each appends to out. */
int inspect_text(const struct inspection *in, struct buf *out, struct err *e);
int inspect_json(const struct inspection *in, struct buf *out, struct err *e);
int inspect_svg(const struct inspection *in, struct buf *out, struct err *e);

/* `keelson inspect`: argv[0] is "inspect". Returns the exit status. */
int inspect_main(int argc, char **argv);

#endif
