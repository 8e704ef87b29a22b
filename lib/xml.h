/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LIB_XML_H
#define LIB_XML_H

#include <stddef.h>

#include "lib/buf.h"

/* Appends at most max bytes of s as text for an XML 1.0 document; what may not be in one becomes a question mark.
 * -ENOMEM. */
int xml_text(struct buf *out, const char *s, size_t max) WARN_UNUSED;

#endif
