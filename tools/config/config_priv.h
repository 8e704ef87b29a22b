/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOOLS_CONFIG_CONFIG_PRIV_H
#define TOOLS_CONFIG_CONFIG_PRIV_H

#include "lib/buf.h"
#include "lib/json.h"
#include "tools/config/config.h"
#include "tools/config/yaml.h"

/* NULL also where the reader put null because it refused the value. */
static inline const char *string_of(const json_t *object, const char *key) {
    return json_string_value(json_object_get(object, key));
}

/* PLACE: what; the place is a container's, a file's, ... */
#define problem(p, place, ...) config_problem(p, place, __VA_ARGS__)
PRINTF_LIKE(3, 4) void config_problem(struct problems *p, const char *place, const char *fmt, ...);

/* Fetched rather than read. */
bool source_is_url(const char *path);

/* All of an input: a file, "-" or a URL; at most `max` bytes. */
int source_load(const char *path, size_t max, struct buf *text, struct err *e);

/* For struct yaml_strings: images in the place of `@pkg:` templates of this file. */
struct templates {
    const char *file;
    const struct config_resolver *resolver;
};
int template_replace(void *data, const char *text, char **out, struct err *e);

/* Each takes its part of c->doc. What is wrong goes to p; they fail only without memory. */
int take_containers(struct config *c, struct problems *p);
int take_volumes(struct config *c, struct problems *p);
int take_files(struct config *c, struct problems *p);

/* Entries of files: that cannot be there together. */
int check_clashes(const struct config *c, struct problems *p);

#endif
