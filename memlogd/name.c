/* SPDX-License-Identifier: Apache-2.0 */
#include "memlogd/name.h"

#include <string.h>

static bool is(const char *name, size_t len, const char *what) {
    return len == strlen(what) && !memcmp(name, what, len);
}

bool name_is_logwrite(const char *name, size_t len) {
    return is(name, len, "logwrite") || is(name, len, "logwrite.out");
}

static size_t clean(char to[RING_SOURCE_MAX], const char *name, size_t len) {
    size_t n = 0;

    for (size_t i = 0; i < len && n < RING_SOURCE_MAX; i++) {
        unsigned char c = (unsigned char)name[i];
        bool c1 = c == 0xc2 && i + 1 < len && ((unsigned char)name[i + 1] & 0xe0) == 0x80;
        i += c1;
        to[n++] = (char)(c1 || c < 0x20 || c == 0x7f ? '?' : c);
    }
    return n;
}

size_t name_make(char to[RING_SOURCE_MAX], enum name_from from, const char *name, size_t len) {
    const char *prefix = from == NAME_FROM_SYSLOG ? "syslog." : "source.";
    size_t n = clean(to, name, len), prefix_len = strlen(prefix);

    if (!is(to, n, NAME_OWN) && (from != NAME_FROM_SYSLOG || !name_is_logwrite(to, n)))
        return n;
    memmove(to + prefix_len, to, n); /* these names are short */
    memcpy(to, prefix, prefix_len);
    return prefix_len + n;
}
