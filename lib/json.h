/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jansson with errors that name the place. `where` is a JSON path such as "$.mounts[2].options", put into messages.
 * Absent keys and null leave *out as it is and return 0 unless `required`; a wrong type is -EINVAL with the path.
 * Strings and objects are borrowed from the document.
 */
#ifndef LIB_JSON_H
#define LIB_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "lib/buf.h"
#include "lib/err.h"

DEFINE_AUTO(json_t *, json_decref)
#define AUTO_JSON AUTO(json_decref_auto)

int json_get_string(const json_t *obj, const char *where, const char *key, bool required, const char **out,
                    struct err *e);
int json_get_bool(const json_t *obj, const char *where, const char *key, bool required, bool *out, struct err *e);
int json_get_int(const json_t *obj, const char *where, const char *key, bool required, int64_t *out, struct err *e);
int json_get_array(const json_t *obj, const char *where, const char *key, bool required, json_t **out, struct err *e);
int json_get_object(const json_t *obj, const char *where, const char *key, bool required, json_t **out, struct err *e);

/* Parses the text of a file; flags: jansson's. The error names file, line and column. *out is a new reference. */
int json_parse(const char *path, const struct buf *text, size_t flags, json_t **out, struct err *e);

/* Reads and parses a file of at most max bytes; the error names file, line and column. *out is a new reference. */
int json_load_path(const char *path, size_t max, json_t **out, struct err *e);

/*
 * A string of s. JSON has to be UTF-8: a byte that is none becomes U+FFFD and two digits, as does one of U+FFFD itself,
 * so that no two texts become the same. NULL: no memory.
 */
json_t *json_text(const char *s);

#endif
