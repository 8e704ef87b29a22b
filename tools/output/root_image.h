/* SPDX-License-Identifier: Apache-2.0 */
/* A file system image of the tree: a tar of it is written beside, which Debian's programs make into one. */
#ifndef TOOLS_OUTPUT_ROOT_IMAGE_H
#define TOOLS_OUTPUT_ROOT_IMAGE_H

#include "lib/temp.h"
#include "tools/output/attributes.h"
#include "tools/output/format.h"
#include "tools/output/program.h"

struct root_image {
    struct temp_dir dir;
    struct output *tree;
    struct attributes attributes;
};

/* In a temporary folder beside `base`. Call root_image_fini() in any case. */
int root_image_open(struct root_image *r, const char *base, struct err *e);
int root_image_add(struct root_image *r, const struct entry *entry, const struct entry_content *content,
                   const struct origin *origin, struct err *e);
/* Warns of what an image of that kind does not keep. The image of all entries, which becomes r->dir's root.img; *path
 * is its name, to be freed. */
int root_image_make(struct root_image *r, enum root_kind kind, char **path, struct err *e);
void root_image_fini(struct root_image *r);

/* The programs that make such an image; the last has no name. */
const struct need *root_image_needs(enum root_kind kind);

#endif
