/* SPDX-License-Identifier: Apache-2.0 */
/* Entries in the order in which they came, by path: which was the last of a path, in the end or at some time. */
#ifndef TOOLS_IMAGE_PATHINDEX_H
#define TOOLS_IMAGE_PATHINDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The path of the i-th entry. */
typedef const char *pathindex_fn(const void *data, size_t i);

struct pathindex {
    uint32_t *v; /* numbers of entries, by path and then as they came */
    size_t len;
    pathindex_fn *path;
    const void *data;
};

/* Of len entries, fewer than UINT32_MAX. -ENOMEM. */
int pathindex_make(struct pathindex *x, size_t len, pathindex_fn *path, const void *data);
/* The last entry of the path among those before number `before`: true if there is one. */
bool pathindex_find(const struct pathindex *x, const char *path, size_t before, size_t *out);
/* Whether no later entry has the path of x->v[at]. */
bool pathindex_is_last(const struct pathindex *x, size_t at);
void pathindex_free(struct pathindex *x);

#endif
