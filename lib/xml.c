/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/xml.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "lib/utf8.h"

/* Of one whole character: it is in XML 1.0's Char, and no control character. */
static bool is_text(const char *s, size_t len) {
    const unsigned char *c = (const unsigned char *)s;

    if (len == 1)
        return *c >= 0x20 && *c != 0x7f;
    if (len == 2)
        return c[0] != 0xc2 || c[1] >= 0xa0;                        /* U+0080 to U+009F */
    return len != 3 || c[0] != 0xef || c[1] != 0xbf || c[2] < 0xbe; /* U+FFFE, U+FFFF */
}

int xml_text(struct buf *out, const char *s, size_t max) {
    int r = 0;

    for (size_t i = 0, len; i < max && s[i] && !r; i += len ? len : 1) {
        const char *entity = s[i] == '&'   ? "&amp;"
                             : s[i] == '<' ? "&lt;"
                             : s[i] == '>' ? "&gt;"
                             : s[i] == '"' ? "&quot;"
                                           : NULL;
        len = utf8_length(s + i, max - i);
        r = entity                           ? buf_puts(out, entity)
            : len > 0 && is_text(s + i, len) ? buf_append(out, s + i, len)
                                             : buf_puts(out, "?");
    }
    return r;
}

/* The bytes of a text up to `fits` letters, and how many they are in *letters. */
static size_t measure(const char *s, size_t fits, size_t *letters) {
    size_t i = 0;

    *letters = 0;
    while (s[i]) {
        size_t len = utf8_length(s + i, SIZE_MAX), width = len > 2 ? 2 : 1; /* U+0800 and beyond */
        if (*letters + width > fits)
            break;
        *letters += width;
        i += len ? len : 1;
    }
    return i;
}

size_t xml_letters(const char *s) {
    size_t letters;

    (void)measure(s, SIZE_MAX, &letters);
    return letters;
}

int xml_text_cut(struct buf *out, const char *s, size_t fits) {
    static const char rest[] = "...";
    const size_t rest_len = sizeof(rest) - 1;
    size_t letters;

    if (xml_letters(s) <= fits)
        return xml_text(out, s, SIZE_MAX);
    int r = xml_text(out, s, measure(s, fits > rest_len ? fits - rest_len : 0, &letters));
    return r ? r : xml_text(out, rest, fits);
}
