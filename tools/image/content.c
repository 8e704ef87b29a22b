/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/image/content.h"

#include <string.h>

#include "lib/fdutil.h"

ssize_t content_read(void *ctx, void *data, size_t len, struct err *e) {
    struct content_source *s = ctx;

    if (s->fd >= 0) {
        ssize_t n = read_full(s->fd, data, len);
        return n < 0 ? err_errno(e, (int)n, "could not read %s", s->name) : n;
    }
    size_t n = len < s->left ? len : s->left;
    memcpy(data, s->text, n);
    s->text += n;
    s->left -= n;
    return (ssize_t)n;
}
