/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A YAML document (JSON is YAML too) as a jansson value, checked against a schema on the way. Errors read
 * "FILE:LINE:COLUMN: what is wrong; what to do". Anchors and aliases are followed; duplicate keys, unknown keys and
 * wrong types are errors. Bounds: YAML_MAX_BYTES of text, YAML_MAX_VALUES values after aliases, YAML_MAX_DEPTH levels.
 */
#ifndef TOOLS_CONFIG_YAML_H
#define TOOLS_CONFIG_YAML_H

#include <jansson.h>

#include "lib/err.h"
#include "tools/config/schema.h"

#define YAML_MAX_BYTES ((size_t)16 << 20)
#define YAML_MAX_VALUES 1000000
#define YAML_MAX_DEPTH 32

/*
 * Objects of a list get a "@" member with their place ("FILE:LINE:COLUMN") if `places`, so that what is found wrong
 * later can name it too. *out is a new reference; an empty document is an empty object.
 */
int yaml_read(const char *file, const char *text, size_t len, const struct schema *schema, bool places, json_t **out,
              struct err *e);

#endif
