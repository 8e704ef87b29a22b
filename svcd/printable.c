/* SPDX-License-Identifier: Apache-2.0 */
#include "svcd/printable.h"

#include <string.h>

/* U+0080 to U+009F are control characters as well: 0xc2 and 0x80 to 0x9f. */
static void scrub(char *text, size_t len, const char *keep) {
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        if ((c < ' ' && (c == 0 || !strchr(keep, c))) || c == 0x7f) {
            text[i] = '?';
        } else if (c == 0xc2 && i + 1 < len && (unsigned char)text[i + 1] < 0xa0) {
            text[i] = '?';
            text[++i] = '?';
        }
    }
}

void make_printable(struct buf *b, size_t from) {
    if (from < b->len)
        scrub(b->data + from, b->len - from, "");
}

void make_lines_printable(char *text, size_t len) {
    scrub(text, len, "\n\t");
}
