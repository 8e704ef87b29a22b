/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LIB_XML_H
#define LIB_XML_H

#include <stddef.h>

#include "lib/buf.h"

/*
 * Attributes of a picture that a browser shows in its whole width, also if that makes it higher than the window. The
 * letters of a monospace font are as wide as we count on, whatever font that is.
 */
#define XML_SVG_LOOK "role=\"img\" style=\"width:100%%;height:auto\" font-family=\"monospace\""

/*
 * Appends at most max bytes of s as text for an XML 1.0 document. What may not be in one becomes a question mark, as do
 * control characters and each byte that belongs to no whole UTF-8 character. -ENOMEM.
 */
int xml_text(struct buf *out, const char *s, size_t max) WARN_UNUSED;

/* How many letters of a monospace font have the width of that text, at most: a letter of many scripts takes that of
 * two. */
size_t xml_letters(const char *s);
/* xml_text() for at most `fits` of them: of a longer text the beginning and "...". */
int xml_text_cut(struct buf *out, const char *s, size_t fits) WARN_UNUSED;

#endif
