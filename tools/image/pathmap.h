/* SPDX-License-Identifier: Apache-2.0 */
/* Paths, whatever bytes they are of, and a number for each; a path takes its bytes and some 30 more. */
#ifndef TOOLS_IMAGE_PATHMAP_H
#define TOOLS_IMAGE_PATHMAP_H

#include <stdint.h>

#include "tools/image/arena.h"

struct pathmap_slot;

struct pathmap {
    struct arena strings; /* the paths; others may be put there, too */
    struct pathmap_slot *slots;
    size_t slots_len, used;
};
#define PATHMAP_INIT                                                                                                   \
    { .slots = NULL }

/* The number of a path, which is its first len bytes; 0: it has none. */
uint32_t pathmap_get(const struct pathmap *m, const char *path, size_t len);
/* 0, or -ENOMEM. */
int pathmap_set(struct pathmap *m, const char *path, uint32_t number);
void pathmap_free(struct pathmap *m);
#define AUTO_PATHMAP AUTO(pathmap_free)

#endif
