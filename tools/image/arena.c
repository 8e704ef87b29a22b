/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/image/arena.h"

#include <stdlib.h>
#include <string.h>

#define CHUNK ((size_t)64 << 10)

const char *arena_string(struct arena *a, const char *s) {
    size_t len = strlen(s) + 1;

    if (len > a->left) {
        size_t room = len > CHUNK ? len : CHUNK;
        void *chunk = malloc(sizeof(void *) + room);
        if (!chunk)
            return NULL;
        memcpy(chunk, &a->chunks, sizeof(void *));
        a->chunks = chunk;
        a->free = (char *)chunk + sizeof(void *);
        a->left = room;
    }
    char *copy = memcpy(a->free, s, len);
    a->free += len;
    a->left -= len;
    return copy;
}

void arena_free(struct arena *a) {
    for (void *chunk = a->chunks, *before; chunk; chunk = before) {
        memcpy(&before, chunk, sizeof(void *));
        free(chunk);
    }
    *a = (struct arena){0};
}
