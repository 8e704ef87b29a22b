/* SPDX-License-Identifier: Apache-2.0 */
/* Little-endian numbers of up to eight bytes, at any address. */
#ifndef LIB_LITTLE_H
#define LIB_LITTLE_H

#include <stddef.h>
#include <stdint.h>

static inline uint64_t little_get(const void *from, size_t bytes) {
    const unsigned char *p = from;
    uint64_t v = 0;

    for (size_t i = bytes; i-- > 0;)
        v = v << 8 | p[i];
    return v;
}

static inline void little_put(void *to, uint64_t v, size_t bytes) {
    unsigned char *p = to;

    for (size_t i = 0; i < bytes; i++)
        p[i] = (unsigned char)(v >> 8 * i);
}

#endif
