/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A YAML document (JSON is YAML too) as a jansson value, checked against a schema on the way. Errors read
 * "FILE:LINE:COLUMN: what is wrong; what to do". Anchors and aliases are followed; duplicate keys, unknown keys and
 * wrong types are errors. Bounds: YAML_MAX_BYTES of text; with aliases YAML_MAX_VALUES values, and YAML_MAX_EXPANDED
 * bytes of keys and values; YAML_MAX_DEPTH levels.
 */
#ifndef TOOLS_CONFIG_YAML_H
#define TOOLS_CONFIG_YAML_H

#include <jansson.h>

#include "lib/err.h"
#include "tools/config/problems.h"
#include "tools/config/schema.h"

#define YAML_MAX_BYTES ((size_t)16 << 20)
#define YAML_MAX_EXPANDED (2 * YAML_MAX_BYTES) /* no text alone comes to it: an escape gives 3 bytes for 2 at most */
#define YAML_MAX_VALUES 1000000
#define YAML_MAX_DEPTH 32

/*
 * Objects get a "@" member with their place ("FILE:LINE:COLUMN") if `places`, and beside fields of which the schema
 * wants it stands "@KEY" (a list of places beside a list), so that what is found wrong later can name its place too. An
 * empty document is an empty object. Everything that is wrong is added to problems (may be NULL), and -EINVAL returned
 * with the first; *out (a new reference) may be there then too, with null for each value that was refused, so that more
 * can be looked at.
 */
int yaml_read(const char *file, const char *text, size_t len, const struct schema *schema, bool places,
              struct problems *problems, json_t **out, struct err *e);

/* Appends value as one YAML document that yaml_read() reads back as the same. */
int yaml_write(json_t *value, struct buf *out, struct err *e);

#endif
