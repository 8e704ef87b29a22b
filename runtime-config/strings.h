/* SPDX-License-Identifier: Apache-2.0 */
/* A list of strings of a JSON document, which owns them. */
#ifndef RUNTIME_CONFIG_STRINGS_H
#define RUNTIME_CONFIG_STRINGS_H

#include <jansson.h>
#include <stddef.h>

#include "lib/err.h"

#define RUNTIME_LIST_MAX 1024 /* entries of any list */

struct strings {
    const char **v; /* free() it; what it points to is the document's */
    size_t len;
};

/* obj[key], which may be absent. `where` is obj's JSON path, for errors: -EINVAL a wrong type, -E2BIG too many. */
int strings_load(const json_t *obj, const char *where, const char *key, struct strings *out, struct err *e);

#endif
