/* SPDX-License-Identifier: Apache-2.0 */
#include "svcd/printable.h"

#include <stdbool.h>
#include <string.h>

/* How many bytes the UTF-8 character has that text begins with; 0: it is none, or not whole. */
static size_t character_len(const unsigned char *text, size_t len) {
    size_t n = text[0] < 0x80   ? 1
               : text[0] < 0xc2 ? 0
               : text[0] < 0xe0 ? 2
               : text[0] < 0xf0 ? 3
               : text[0] < 0xf5 ? 4
                                : 0;

    if (n > len)
        return 0;
    for (size_t i = 1; i < n; i++)
        if ((text[i] & 0xc0) != 0x80)
            return 0;
    return n;
}

/* U+0080 to U+009F are control characters as well, and alone their last bytes are, to a terminal that is not in UTF-8.
 */
static bool is_control(const unsigned char *text, size_t len, const char *keep) {
    if (len == 1)
        return (*text < ' ' && (*text == 0 || !strchr(keep, *text))) || *text == 0x7f;
    return text[0] == 0xc2 && text[1] < 0xa0;
}

static void scrub(char *text, size_t len, const char *keep) {
    for (size_t i = 0, n; i < len; i += n) {
        const unsigned char *at = (const unsigned char *)text + i;
        n = character_len(at, len - i);
        bool harmless = n > 0 && !is_control(at, n, keep);
        n = n ? n : 1;
        if (!harmless)
            memset(text + i, '?', n);
    }
}

void make_printable(struct buf *b, size_t from) {
    if (from < b->len)
        scrub(b->data + from, b->len - from, "");
}

void make_lines_printable(char *text, size_t len) {
    scrub(text, len, "\n\r\t");
}
