/* SPDX-License-Identifier: Apache-2.0 */
/* What lives as long as all of it does: without malloc's overhead, which for paths is half of their size. */
#ifndef TOOLS_IMAGE_ARENA_H
#define TOOLS_IMAGE_ARENA_H

#include <stddef.h>

struct arena {
    void *chunks; /* the newest, which begins with a pointer to the one before */
    char *free;
    size_t left;
};

/* Zeros, aligned for whatever has no more than pointers and 64 bits; NULL: no memory. */
void *arena_alloc(struct arena *a, size_t len);
/* Copies; NULL: no memory. */
const char *arena_string(struct arena *a, const char *s);
const void *arena_bytes(struct arena *a, const void *data, size_t len);
void arena_free(struct arena *a);

#endif
