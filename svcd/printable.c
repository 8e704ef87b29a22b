/* SPDX-License-Identifier: Apache-2.0 */
#include "svcd/printable.h"

/* U+0080 to U+009F are control characters as well: 0xc2 and 0x80 to 0x9f. */
void make_printable(struct buf *b, size_t from) {
    for (size_t i = from; i < b->len; i++) {
        unsigned char c = (unsigned char)b->data[i];
        if (c < ' ' || c == 0x7f) {
            b->data[i] = '?';
        } else if (c == 0xc2 && i + 1 < b->len && (unsigned char)b->data[i + 1] < 0xa0) {
            b->data[i] = '?';
            b->data[++i] = '?';
        }
    }
}
