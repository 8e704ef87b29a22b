/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a built file tree goes. Entries are streamed: nothing is held but names of hard-linked files and, where a
 * format has no place for them, extended attributes. Files are temporary ones beside until everything was written
 * (output_finish()), and get their names after that alone (output_commit()): what fails with one of several outputs
 * leaves all as they were.
 */
#ifndef TOOLS_OUTPUT_OUTPUT_H
#define TOOLS_OUTPUT_OUTPUT_H

#include <stdbool.h>
#include <string.h>

#include "tools/image/entry.h"
#include "tools/output/compress.h"

/* Which part of the YAML an entry comes from: an image or "linuxkit.files", and "services[0]". */
struct origin {
    const char *source;
    const char *location;
};

/* What the kernel's files are called in the tree. */
#define BOOT_KERNEL "boot/kernel"
#define BOOT_CMDLINE "boot/cmdline"
#define BOOT_UCODE "boot/ucode.cpio"
#define BOOT_TREES "boot/dtb/" /* VENDOR/BOARD.dtb */

/* Of all that is below boot/ a root file system has nothing: kernel_initrd.c and its kin take what they need of it. */
static inline bool below_boot(const char *path) {
    return strncmp(path, "boot/", 5) == 0;
}

struct output;
struct segment;

struct output_type {
    int (*add)(struct output *o, const struct entry *entry, const struct entry_content *content,
               const struct origin *origin, struct err *e);
    /* Takes what was made apart instead of its entries; NULL: wants the entries. */
    int (*add_segment)(struct output *o, const struct segment *s, struct err *e);
    int (*finish)(struct output *o, struct err *e);
    int (*commit)(struct output *o, struct err *e); /* NULL: it has no file of its own */
    void (*free)(struct output *o);
};

struct output {
    const struct output_type *type;
};

int output_add(struct output *o, const struct entry *entry, const struct entry_content *content,
               const struct origin *origin, struct err *e);
/* True if output_add_segment() may be called. */
bool output_takes_segments(const struct output *o);
int output_add_segment(struct output *o, const struct segment *s, struct err *e);
/* All is written; what is no file, but a device or standard output, has it. */
int output_finish(struct output *o, struct err *e);
/* After it: the files get their names. Call output_free() in any case; without this nothing is left behind. */
int output_commit(struct output *o, struct err *e);
/* The one after the other, for an output that is one's own. */
int output_complete(struct output *o, struct err *e);
void output_free(struct output *o);
DEFINE_AUTO(struct output *, output_free)
#define AUTO_OUTPUT AUTO(output_free_auto)

#endif
