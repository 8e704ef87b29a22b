/* SPDX-License-Identifier: Apache-2.0 */
/* `keelson pkg update`: the tags of packages in YAML files (or any text) become the present ones. */
#ifndef TOOLS_PKG_UPDATE_H
#define TOOLS_PKG_UPDATE_H

#include <stddef.h>

#include "lib/err.h"

#define UPDATE_FILE_MAX ((size_t)16 << 20)

/*
 * In the text, "ORG/IMAGE:ANYTHING[@DIGEST]" becomes ref ("ORG/IMAGE:TAG") where it stands alone or behind
 * "docker.io/"; *out is malloc'd, *changed how many became something else.
 */
int update_text(const char *text, const char *ref, char **out, size_t *changed, struct err *e);

/* Does so in a file, which is replaced if something changes; prints how much. */
int update_file(const char *path, const char *const *refs, size_t len, struct err *e);

#endif
