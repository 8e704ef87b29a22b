/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/image/pathindex.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char *path_of(const struct pathindex *x, size_t at) {
    return x->path(x->data, x->v[at]);
}

static int compare(const void *a, const void *b, void *data) {
    const struct pathindex *x = data;
    uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;
    int order = strcmp(x->path(x->data, left), x->path(x->data, right));

    return order ? order : left < right ? -1 : left > right;
}

int pathindex_make(struct pathindex *x, size_t len, pathindex_fn *path, const void *data) {
    *x = (struct pathindex){.v = calloc(len + 1, sizeof(*x->v)), .len = len, .path = path, .data = data};
    if (!x->v)
        return -ENOMEM;
    for (size_t i = 0; i < len; i++)
        x->v[i] = (uint32_t)i;
    qsort_r(x->v, len, sizeof(*x->v), compare, x);
    return 0;
}

bool pathindex_find(const struct pathindex *x, const char *path, size_t before, size_t *out) {
    size_t low = 0, high = x->len;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(path_of(x, middle), path);
        if (order < 0 || (order == 0 && x->v[middle] < before))
            low = middle + 1;
        else
            high = middle;
    }
    if (!low || strcmp(path_of(x, low - 1), path) != 0)
        return false;
    *out = x->v[low - 1];
    return true;
}

bool pathindex_is_last(const struct pathindex *x, size_t at) {
    return at + 1 == x->len || strcmp(path_of(x, at), path_of(x, at + 1)) != 0;
}

void pathindex_free(struct pathindex *x) {
    free(x->v);
    *x = (struct pathindex){0};
}
