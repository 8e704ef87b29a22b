/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/xml.h"

#include <stdbool.h>
#include <string.h>

int xml_text(struct buf *out, const char *s, size_t max) {
    int r = 0;

    for (size_t i = 0; i < max && s[i] && !r; i++) {
        const char *entity = s[i] == '&'   ? "&amp;"
                             : s[i] == '<' ? "&lt;"
                             : s[i] == '>' ? "&gt;"
                             : s[i] == '"' ? "&quot;"
                                           : NULL;
        bool plain = (unsigned char)s[i] >= 0x20 && (unsigned char)s[i] < 0x7f;
        r = entity ? buf_puts(out, entity) : buf_append(out, plain ? &s[i] : "?", 1);
    }
    return r;
}

int xml_text_cut(struct buf *out, const char *s, size_t fits) {
    static const char rest[] = "...";
    const size_t rest_len = sizeof(rest) - 1;

    if (strlen(s) <= fits)
        return xml_text(out, s, fits);
    int r = xml_text(out, s, fits > rest_len ? fits - rest_len : 0);
    return r ? r : xml_text(out, rest, fits);
}
