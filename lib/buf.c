/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/buf.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

static int make_room(struct buf *b, size_t len) {
    size_t max = b->max ? b->max : BUF_DEFAULT_MAX;
    if (max > SIZE_MAX / 2)
        max = SIZE_MAX / 2;
    if (b->len > max || len > max - b->len)
        return -E2BIG;
    size_t need = b->len + len + 1;
    if (need <= b->cap)
        return 0;
    size_t cap = b->cap ? b->cap : 64;
    while (cap < need)
        cap *= 2;
    char *grown = realloc(b->data, cap);
    if (!grown)
        return -ENOMEM;
    b->data = grown;
    b->cap = cap;
    return 0;
}

void *buf_reserve(struct buf *b, size_t len) {
    return make_room(b, len) ? NULL : b->data + b->len;
}

void buf_commit(struct buf *b, size_t len) {
    b->len += len;
    b->data[b->len] = '\0';
}

int buf_append(struct buf *b, const void *data, size_t len) {
    int r = make_room(b, len);
    if (r)
        return r;
    if (len)
        memcpy(b->data + b->len, data, len);
    buf_commit(b, len);
    return 0;
}

int buf_puts(struct buf *b, const char *s) {
    return buf_append(b, s, strlen(s));
}

int buf_printf(struct buf *b, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    if (n < 0)
        return -EINVAL;
    int r = make_room(b, (size_t)n);
    if (r)
        return r;
    va_start(args, fmt);
    n = vsnprintf(b->data + b->len, (size_t)n + 1, fmt, args);
    va_end(args);
    if (n < 0)
        return -EINVAL;
    buf_commit(b, (size_t)n);
    return 0;
}

void buf_consume(struct buf *b, size_t len) {
    if (!b->data)
        return;
    if (len > b->len)
        len = b->len;
    memmove(b->data, b->data + len, b->len - len + 1);
    b->len -= len;
}

void buf_reset(struct buf *b) {
    b->len = 0;
    if (b->data)
        b->data[0] = '\0';
}

void buf_free(struct buf *b) {
    free(b->data);
    *b = (struct buf){.max = b->max};
}
