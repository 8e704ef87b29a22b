/* SPDX-License-Identifier: Apache-2.0 */
/* Paths, whatever bytes they are of, and a number for each; a path takes its bytes and some 30 more. */
#ifndef TOOLS_IMAGE_PATHMAP_H
#define TOOLS_IMAGE_PATHMAP_H

#include <stdint.h>

#include "tools/image/arena.h"

struct pathmap_slot {
    const char *path; /* lives as long as the map; NULL: an empty slot */
    uint32_t hash;
    uint32_t number; /* the user's */
};

struct pathmap {
    struct arena strings; /* the paths; others may be put there, too */
    struct pathmap_slot *slots;
    size_t slots_len, used;
};
#define PATHMAP_INIT                                                                                                   \
    { .slots = NULL }

/* Of a path, which is the first len bytes; NULL: it is not there. Valid until the next pathmap_add(). */
struct pathmap_slot *pathmap_find(const struct pathmap *m, const char *path, size_t len);
/* The same, and it is put there, with number 0, if it was not; NULL: no memory. */
struct pathmap_slot *pathmap_add(struct pathmap *m, const char *path);
void pathmap_free(struct pathmap *m);

#endif
