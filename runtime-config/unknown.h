/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RUNTIME_CONFIG_UNKNOWN_H
#define RUNTIME_CONFIG_UNKNOWN_H

#include <jansson.h>

#define UNKNOWN_SHOWN 8 /* warnings for one object; the rest is counted in one more */

/*
 * Warns of each key of the object that is not in `known`, which ends with NULL. `where` is the object's JSON path; file
 * is NULL where nobody is to be warned.
 */
void unknown_keys_warn(const char *file, const char *where, const json_t *obj, const char *const *known);

#endif
