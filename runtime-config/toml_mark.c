/* SPDX-License-Identifier: Apache-2.0 */
/* A hash table with open addressing; nothing is ever taken out, at most half of it is in use. */
#include <errno.h>

#include "runtime-config/toml_priv.h"

static size_t slot_of(const void *of, size_t cap) {
    return (size_t)(((uintptr_t)of >> 4) * (uintptr_t)0x9e3779b97f4a7c15ULL >> 20) & (cap - 1);
}

static struct toml_mark *probe(struct toml_mark *marks, size_t cap, const void *of) {
    size_t i = slot_of(of, cap);

    while (marks[i].of && marks[i].of != of)
        i = (i + 1) & (cap - 1);
    return &marks[i];
}

struct toml_mark *toml_mark_find(const struct toml *t, const void *of) {
    if (t->marks_cap == 0 || !of)
        return NULL;
    struct toml_mark *mark = probe(t->marks, t->marks_cap, of);
    return mark->of ? mark : NULL;
}

static int grow(struct toml *t) {
    size_t cap = t->marks_cap ? 2 * t->marks_cap : 32;
    struct toml_mark *marks = calloc(cap, sizeof(*marks));

    if (!marks)
        return -ENOMEM;
    for (size_t i = 0; i < t->marks_cap; i++)
        if (t->marks[i].of)
            *probe(marks, cap, t->marks[i].of) = t->marks[i];
    free(t->marks);
    t->marks = marks;
    t->marks_cap = cap;
    return 0;
}

int toml_mark_add(struct toml *t, const struct toml_mark *mark) {
    if (2 * (t->marks_len + 1) > t->marks_cap) {
        int r = grow(t);
        if (r < 0)
            return r;
    }
    *probe(t->marks, t->marks_cap, mark->of) = *mark;
    t->marks_len++;
    return 0;
}

const char *toml_key_address(const json_t *table, const char *key) {
    /* Iterators do not change the object; jansson's prototype says otherwise. */
    void *iter = json_object_iter_at((json_t *)(uintptr_t)table, key);

    return iter ? json_object_iter_key(iter) : NULL;
}
