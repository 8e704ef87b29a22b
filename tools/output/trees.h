/* SPDX-License-Identifier: Apache-2.0 */
/* Device trees that are on their way past: files below boot/dtb/, by whichever of its names a board's tree comes. */
#ifndef TOOLS_OUTPUT_TREES_H
#define TOOLS_OUTPUT_TREES_H

#include "tools/image/pathmap.h"
#include "tools/output/output.h"

struct trees {
    const char *dir;     /* the folder that they go into */
    const char *wanted;  /* a glob for VENDOR/BOARD.dtb; what fits is in the folder under BOARD.dtb */
    struct pathmap kept; /* paths of files that are kept in case another of their names is wanted -> number */
    uint32_t kept_len;
};

/* Takes what is wanted of an entry, and passes it on. -EINVAL: one that is wanted names a file that was not kept. */
int trees_add(struct trees *t, struct output *rest, const struct entry *entry, const struct entry_content *content,
              const struct origin *origin, struct err *e);
void trees_free(struct trees *t);

#endif
