/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/waits.h"

/* Of those with that parent, or with that name: the one that ended last, by the begin of the stage at i. len: none. */
static size_t last_before(const struct timeline_entry *v, size_t len, size_t i, const struct timeline_text *name) {
    size_t last = len;

    for (size_t k = 0; k < len; k++) {
        bool is_one = name ? timeline_is_same(v[k].stage, *name) : timeline_is_same(v[k].parent, v[i].parent);
        if (k != i && is_one && v[k].end_ns <= v[i].start_ns && (last == len || v[k].end_ns >= v[last].end_ns))
            last = k;
    }
    return last;
}

size_t waits_find(const struct timeline_entry *v, size_t len, size_t i, size_t out[TIMELINE_AFTER_MAX]) {
    size_t n = 0, asked = v[i].tells_after ? v[i].after_len : 1;

    for (size_t k = 0; k < asked; k++) {
        out[n] = last_before(v, len, i, v[i].tells_after ? &v[i].after[k] : NULL);
        n += out[n] < len;
    }
    return n;
}
