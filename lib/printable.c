/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/printable.h"

#include <stdbool.h>
#include <string.h>

#include "lib/utf8.h"

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
        n = utf8_length(text + i, len - i);
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

void make_text_printable(char *text, size_t len) {
    scrub(text, len, "\t");
}

char *printable_copy(const char *text) {
    char *copy = strdup(text);

    if (copy)
        scrub(copy, strlen(copy), "");
    return copy;
}

void make_lines_printable(char *text, size_t len) {
    scrub(text, len, "\n\r\t");
}
