/* SPDX-License-Identifier: Apache-2.0 */
/* What an unquoted YAML scalar is: the core schema, with YAML 1.1's octal numbers. */
#ifndef TOOLS_CONFIG_SCALAR_H
#define TOOLS_CONFIG_SCALAR_H

#include <jansson.h>
#include <stdbool.h>
#include <yaml.h>

enum scalar { SCALAR_STRING, SCALAR_NULL, SCALAR_BOOL, SCALAR_INT, SCALAR_FLOAT };

/* *number is set for SCALAR_INT. Quoted scalars and those tagged "!" or !!str are strings. */
enum scalar scalar_resolve(const yaml_node_t *n, json_int_t *number);

/* "yes", "off", ...: a string to us, but a boolean to readers of YAML 1.1. */
bool scalar_is_old_bool(const char *s);

#endif
