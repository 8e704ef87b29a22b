/* SPDX-License-Identifier: Apache-2.0 */
/* A growing byte buffer with a bound: an append that would pass it fails with -E2BIG and changes nothing. */
#ifndef LIB_BUF_H
#define LIB_BUF_H

#include <stddef.h>
#include <stdint.h>

#include "lib/auto.h"

struct buf {
    char *data; /* always NUL-terminated after a successful append; NULL while empty and unused */
    size_t len;
    size_t cap;
    size_t max; /* 0: BUF_DEFAULT_MAX */
};

#define BUF_DEFAULT_MAX ((size_t)64 << 20)
#define BUF_INIT                                                                                                       \
    { 0 }

int buf_append(struct buf *b, const void *data, size_t len) WARN_UNUSED;
int buf_puts(struct buf *b, const char *s) WARN_UNUSED;
int buf_printf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3) WARN_UNUSED;
/* Makes room for len more bytes and returns where they go (NULL: no memory or over the bound); see buf_commit(). */
void *buf_reserve(struct buf *b, size_t len) WARN_UNUSED;
void buf_commit(struct buf *b, size_t len);
/* Drops len bytes at the front. */
void buf_consume(struct buf *b, size_t len);
void buf_reset(struct buf *b); /* empties, keeps the memory */
void buf_free(struct buf *b);

#define AUTO_BUF AUTO(buf_free)

#endif
