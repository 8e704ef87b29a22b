/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LIB_PRINTABLE_H
#define LIB_PRINTABLE_H

#include <stddef.h>

#include "lib/buf.h"

/* What stands in b from `from` on is text of others (containers, images) and goes to a terminal: control characters
 * become '?', and so does every byte that belongs to no whole UTF-8 character. */
void make_printable(struct buf *b, size_t from);

/* The same for a text of which tabs stay. */
void make_text_printable(char *text, size_t len);

/* A copy in which nothing stays; malloc'd, NULL: no memory. */
char *printable_copy(const char *text);

/* The same for whole lines, of which line ends, carriage returns and tabs stay. */
void make_lines_printable(char *text, size_t len);

#endif
