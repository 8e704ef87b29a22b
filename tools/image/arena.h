/* SPDX-License-Identifier: Apache-2.0 */
/* Strings that live as long as all of them do: without malloc's overhead, which for paths is half of their size. */
#ifndef TOOLS_IMAGE_ARENA_H
#define TOOLS_IMAGE_ARENA_H

#include <stddef.h>

struct arena {
    void *chunks; /* the newest, which begins with a pointer to the one before */
    char *free;
    size_t left;
};

/* A copy; NULL: no memory. */
const char *arena_string(struct arena *a, const char *s);
void arena_free(struct arena *a);

#endif
