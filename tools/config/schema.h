/* SPDX-License-Identifier: Apache-2.0 */
/* What may stand where in a linuxkit.yml: tables that the YAML reader checks every document against. */
#ifndef TOOLS_CONFIG_SCHEMA_H
#define TOOLS_CONFIG_SCHEMA_H

#include <stdbool.h>
#include <stdint.h>

enum value_kind {
    VALUE_STRING,
    VALUE_BOOL,
    VALUE_INT,
    VALUE_ID,         /* a name or a number */
    VALUE_LIST,       /* of `item` */
    VALUE_OBJECT,     /* of `fields` */
    VALUE_STRING_MAP, /* any keys, string values */
};

struct schema_field;

struct schema {
    enum value_kind kind;
    const struct schema *item;          /* VALUE_LIST */
    const struct schema_field *fields;  /* VALUE_OBJECT; ends with a NULL key */
    bool (*is_valid)(const char *text); /* VALUE_STRING; NULL: anything is */
    const char *expected;               /* by is_valid: "a time such as ..." */
    int64_t min, max;                   /* VALUE_INT, unless both are 0 */
    bool or_null;                       /* VALUE_STRING: null, written as such, will do, too */
    bool place;                         /* where it stands is kept beside it: the object's "@KEY" */
};

struct schema_field {
    const char *key;
    const struct schema *value;
    bool required;
};

extern const struct schema schema_config; /* a whole linuxkit.yml */
extern const struct schema schema_label;  /* the org.mobyproject.config label of an image */

/* The key of an object's schema that is most like this one, or NULL if none is like it. */
const char *schema_nearest_key(const struct schema *schema, const char *key);

/* "a string", "a list", ...: for messages. */
const char *schema_kind_name(enum value_kind kind);

#endif
