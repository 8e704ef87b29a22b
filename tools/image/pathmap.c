/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/image/pathmap.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS_MIN 64 /* a power of two, as all numbers of slots */

static uint32_t hash_of(const char *path, size_t len) {
    uint64_t h = 14695981039346656037U; /* FNV-1a */

    for (size_t i = 0; i < len; i++)
        h = (h ^ (unsigned char)path[i]) * 1099511628211U;
    return (uint32_t)(h ^ h >> 32);
}

/* The slot of the path, or the empty one where it belongs. At most three quarters of the slots are used. */
static struct pathmap_slot *find(const struct pathmap *m, const char *path, size_t len, uint32_t hash) {
    for (size_t i = hash;; i++) {
        struct pathmap_slot *slot = &m->slots[i & (m->slots_len - 1)];
        if (!slot->path || (slot->hash == hash && !strncmp(slot->path, path, len) && !slot->path[len]))
            return slot;
    }
}

static int grow(struct pathmap *m) {
    struct pathmap bigger = *m;

    if (m->slots_len && m->used < m->slots_len / 4 * 3)
        return 0;
    bigger.slots_len = m->slots_len ? 2 * m->slots_len : SLOTS_MIN;
    bigger.slots = calloc(bigger.slots_len, sizeof(*bigger.slots));
    if (!bigger.slots)
        return -ENOMEM;
    for (size_t i = 0; i < m->slots_len; i++) {
        size_t at = m->slots[i].hash;
        if (!m->slots[i].path)
            continue;
        while (bigger.slots[at & (bigger.slots_len - 1)].path)
            at++;
        bigger.slots[at & (bigger.slots_len - 1)] = m->slots[i];
    }
    free(m->slots);
    *m = bigger;
    return 0;
}

struct pathmap_slot *pathmap_find(const struct pathmap *m, const char *path, size_t len) {
    struct pathmap_slot *slot = m->slots_len ? find(m, path, len, hash_of(path, len)) : NULL;

    return slot && slot->path ? slot : NULL;
}

struct pathmap_slot *pathmap_add(struct pathmap *m, const char *path) {
    size_t len = strlen(path);
    uint32_t hash = hash_of(path, len);

    if (grow(m) < 0)
        return NULL;
    struct pathmap_slot *slot = find(m, path, len, hash);
    if (!slot->path) {
        const char *copy = arena_string(&m->strings, path);
        if (!copy)
            return NULL;
        *slot = (struct pathmap_slot){.path = copy, .hash = hash};
        m->used++;
    }
    return slot;
}

void pathmap_free(struct pathmap *m) {
    free(m->slots);
    arena_free(&m->strings);
    *m = (struct pathmap)PATHMAP_INIT;
}
