/* SPDX-License-Identifier: Apache-2.0 */
/* What an unquoted YAML scalar is: the core schema, with YAML 1.1's octal numbers. */
#ifndef TOOLS_CONFIG_SCALAR_H
#define TOOLS_CONFIG_SCALAR_H

#include <jansson.h>
#include <stdbool.h>

enum scalar { SCALAR_STRING, SCALAR_NULL, SCALAR_BOOL, SCALAR_INT, SCALAR_FLOAT };

/* What a scalar with this text is if it has neither quotes nor a tag; *number is set for SCALAR_INT. */
enum scalar scalar_resolve(const char *text, json_int_t *number);

/* Words end with NULL. */
bool scalar_is_one_of(const char *s, const char *const *words);

/* "yes", "off", ...: a string to us, but a boolean to readers of YAML 1.1. */
bool scalar_is_old_bool(const char *s);

#endif
