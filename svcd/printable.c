/* SPDX-License-Identifier: Apache-2.0 */
#include "svcd/printable.h"

#include <string.h>

/*
 * U+0080 to U+009F are control characters as well: 0xc2 and 0x80 to 0x9f. A 0xc2 at the end may begin one whose rest is
 * in the next piece.
 */
static size_t control_bytes(const char *text, size_t len, const char *keep) {
    unsigned char c = (unsigned char)text[0];

    if (c == 0xc2)
        return len == 1 ? 1 : (unsigned char)text[1] < 0xa0 ? 2 : 0;
    return (c < ' ' && (c == 0 || !strchr(keep, c))) || c == 0x7f;
}

static void scrub(char *text, size_t len, const char *keep) {
    for (size_t i = 0; i < len; i++)
        for (size_t n = control_bytes(text + i, len - i, keep); n > 0; n--)
            text[i + n - 1] = '?';
}

void make_printable(struct buf *b, size_t from) {
    if (from < b->len)
        scrub(b->data + from, b->len - from, "");
}

void make_lines_printable(char *text, size_t len) {
    scrub(text, len, "\n\r\t");
}
