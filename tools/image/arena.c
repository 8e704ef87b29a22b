/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/image/arena.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK ((size_t)64 << 10)

/* Not aligned. What is larger than a chunk gets one of its own. */
static void *take(struct arena *a, size_t len) {
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
    void *taken = a->free;
    a->free += len;
    a->left -= len;
    return taken;
}

void *arena_alloc(struct arena *a, size_t len) {
    size_t padding = -(uintptr_t)a->free % sizeof(uint64_t);

    padding = padding < a->left ? padding : a->left;
    if (padding)
        (void)take(a, padding);
    void *taken = take(a, len);
    return taken ? memset(taken, 0, len) : NULL;
}

const void *arena_bytes(struct arena *a, const void *data, size_t len) {
    void *copy = take(a, len);

    return copy && len ? memcpy(copy, data, len) : copy;
}

const char *arena_string(struct arena *a, const char *s) {
    return arena_bytes(a, s, strlen(s) + 1);
}

void arena_free(struct arena *a) {
    for (void *chunk = a->chunks, *before; chunk; chunk = before) {
        memcpy(&before, chunk, sizeof(void *));
        free(chunk);
    }
    *a = (struct arena){0};
}
