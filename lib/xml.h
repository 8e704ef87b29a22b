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

/* Appends at most max bytes of s as text for an XML 1.0 document; what may not be in one becomes a question mark.
 * -ENOMEM. */
int xml_text(struct buf *out, const char *s, size_t max) WARN_UNUSED;

/* The same for at most `fits` letters: of a longer text the beginning and "...". */
int xml_text_cut(struct buf *out, const char *s, size_t fits) WARN_UNUSED;

#endif
