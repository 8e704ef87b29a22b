/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a built file tree goes. Entries are streamed: nothing but names of hard-linked files is held. Files appear
 * under their names only when everything was written (output_finish()); before that they are temporary files beside.
 */
#ifndef TOOLS_OUTPUT_OUTPUT_H
#define TOOLS_OUTPUT_OUTPUT_H

#include "tools/image/entry.h"

/* Which part of the YAML an entry comes from: an image or "linuxkit.files", and "services[0]". */
struct origin {
    const char *source;
    const char *location;
};

enum compression { COMPRESS_NONE, COMPRESS_ZSTD, COMPRESS_GZIP };

struct output;

struct output_type {
    int (*add)(struct output *o, const struct entry *entry, const struct entry_content *content,
               const struct origin *origin, struct err *e);
    int (*finish)(struct output *o, struct err *e);
    void (*free)(struct output *o);
};

struct output {
    const struct output_type *type;
};

/* BASE-kernel, BASE-initrd.img (cpio newc, with the microcode archive first), BASE-cmdline. */
int output_kernel_initrd_new(const char *base, enum compression compression, struct output **out, struct err *e);
/* The tree as a PAX tar in `path`, boot/ included; "-" is stdout. */
int output_tar_new(const char *path, struct output **out, struct err *e);

int output_add(struct output *o, const struct entry *entry, const struct entry_content *content,
               const struct origin *origin, struct err *e);
/* The files get their names. Call output_free() after it in any case; without it nothing is left behind. */
int output_finish(struct output *o, struct err *e);
void output_free(struct output *o);
DEFINE_AUTO(struct output *, output_free)
#define AUTO_OUTPUT AUTO(output_free_auto)

#endif
