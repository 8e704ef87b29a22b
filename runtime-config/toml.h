/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A reader of TOML 1.0.0 documents, whole: every type, array and table form of the specification.
 *
 * Values become jansson's. Dates and times stay the strings that they are in the document, and so do inf and nan, which
 * JSON numbers cannot be; toml_type() tells them from real strings. Errors are "NAME:LINE:COLUMN: what is wrong",
 * counted from 1, columns in characters.
 *
 * Bounds: what the caller allows in bytes, TOML_VALUES_MAX values, nesting of TOML_DEPTH_MAX tables and arrays, which
 * is what recursion is bounded by too. No globals, no input or output but toml_load()'s; not for setlocale(LC_NUMERIC).
 */
#ifndef RUNTIME_CONFIG_TOML_H
#define RUNTIME_CONFIG_TOML_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "lib/err.h"

#define TOML_DEPTH_MAX 64
#define TOML_VALUES_MAX 65536

enum toml_type {
    TOML_STRING,
    TOML_INTEGER,
    TOML_FLOAT,
    TOML_BOOLEAN,
    TOML_OFFSET_DATETIME,
    TOML_LOCAL_DATETIME,
    TOML_LOCAL_DATE,
    TOML_LOCAL_TIME,
    TOML_ARRAY,
    TOML_TABLE,
};

struct toml {
    json_t *root;            /* an object */
    struct toml_mark *marks; /* what jansson's values cannot say of themselves */
    size_t marks_len, marks_cap;
};

struct toml_position {
    unsigned line, column;
};

/* Parses len bytes. On an error *t is empty, and need not be freed. */
int toml_parse(struct toml *t, const char *name, const char *text, size_t len, struct err *e) WARN_UNUSED;

/* Reads and parses a file of at most max bytes. -ENOENT: there is none; -EINVAL: it is wrong. */
int toml_load(struct toml *t, const char *path, size_t max, struct err *e) WARN_UNUSED;

/* Fit for AUTO(toml_free) on a struct that is zero or parsed. */
void toml_free(struct toml *t);

/* What a value of this document is. */
enum toml_type toml_type(const struct toml *t, const json_t *value);

/* "a string", "a local date", ... */
const char *toml_type_name(enum toml_type type);

/* A key for a message, cut to fit, without what a console would obey. shown is returned. */
const char *toml_show_key(const char *key, size_t len, char *shown, size_t size);

/* Where a key of one of the document's tables stands; 0:0 if it is not there, or has a NUL in it. */
struct toml_position toml_position(const struct toml *t, const json_t *table, const char *key);

#endif
