/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LIB_UTF8_H
#define LIB_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* Bytes of the character at text (1 to 4), 0 if it is not well-formed UTF-8 (overlong, a surrogate, cut off). */
size_t utf8_length(const char *text, size_t len);
/* Whether all of a text is that. */
bool is_utf8(const char *text);
/* Writes a code point up to 0x10ffff; returns 1 to 4. */
size_t utf8_put(char *to, unsigned code);

#endif
