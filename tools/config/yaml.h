/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A YAML document (JSON is YAML too) as a jansson value, checked against a schema on the way. Errors read
 * "FILE:LINE:COLUMN: what is wrong; what to do". Anchors and aliases are followed; duplicate keys, unknown keys and
 * wrong types are errors. Bounds: YAML_MAX_BYTES of text; with aliases YAML_MAX_VALUES values, and YAML_MAX_EXPANDED
 * bytes of keys and values; YAML_MAX_DEPTH levels; and what libyaml searches from the start each time:
 * YAML_MAX_ANCHORS, YAML_MAX_ALIASES of them, YAML_MAX_TAG_DIRECTIVES.
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
#define YAML_MAX_ANCHORS 1000
#define YAML_MAX_ALIASES 100000
#define YAML_MAX_TAG_DIRECTIVES 100

/*
 * Objects with fields get a "@" member with their place ("FILE:LINE:COLUMN") if `places`, and beside fields of which
 * the schema wants it stands "@KEY", so that what is found wrong later can name its place too: see yaml_place(). An
 * empty document is an empty object. Everything that is wrong is added to problems (may be NULL), and -EINVAL returned
 * with the first; *out (a new reference) may be there then too, with null for each value that was refused, so that more
 * can be looked at.
 */
int yaml_read(const char *file, const char *text, size_t len, const struct schema *schema, bool places,
              struct problems *problems, json_t **out, struct err *e);

/* What becomes of strings: another one in *out (malloc'd), or NULL; an error is told at the string's place. */
struct yaml_strings {
    int (*replace)(void *data, const char *text, char **out, struct err *e);
    void *data;
};

/* yaml_read() with places, and with other strings in the place of some; strings may be NULL. */
int yaml_read_replaced(const char *file, const char *text, size_t len, const struct schema *schema,
                       const struct yaml_strings *strings, struct problems *problems, json_t **out, struct err *e);

/* Where an object stands (key ""), or its value of that key, or the i-th of a list's values; NULL: it is not kept. */
const char *yaml_place(const json_t *object, const char *key, size_t i);

/* Whether it is of an object's own. Places are lists, which no value is whose key may be any word. */
bool yaml_is_place(const char *key, const json_t *value);

/* Appends value as one YAML document that yaml_read() reads back as the same. */
int yaml_write(json_t *value, struct buf *out, struct err *e);

#endif
