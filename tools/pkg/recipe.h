/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A package folder's build.yml. `image`, `org`, `arches` and `config` are LinuxKit's; LinuxKit's other keys are for its
 * Dockerfile builds and are refused by name. Ours:
 *
 *   debian:  {packages: [...], exclude: [GLOB, ...], keep: [GLOB, ...]}   Debian packages, unpacked
 *   kernel:  {package: NAME, exclude: [GLOB, ...]}                       `kernel` and `kernel.tar` from a kernel
 * package copy:    [{from: PATH, to: PATH, mode: "0755"}]                      files; from is relative to the folder
 *   files:   [{path: PATH, contents: TEXT, mode: "0644", directory: true, symlink: TARGET}]
 *   links:   [{target: TEXT, paths: [PATH, ...]}]                        many symbolic links to one target
 *   command: [...]   env: [...]   workdir: PATH                          of the image's configuration
 *
 * Globs are fnmatch(3)'s, against the path without a leading slash; `*` matches slashes too. With `keep`, nothing but
 * what matches it is taken; `exclude` then takes away.
 */
#ifndef TOOLS_PKG_RECIPE_H
#define TOOLS_PKG_RECIPE_H

#include <jansson.h>
#include <stdbool.h>
#include <sys/types.h>

#include "lib/err.h"

struct recipe {
    char *dir;   /* the folder */
    json_t *doc; /* checked against the schema */
    const char *image, *org;
};

int recipe_load(const char *dir, struct recipe *r, struct err *e);
void recipe_free(struct recipe *r);

bool recipe_has_arch(const struct recipe *r, const char *arch);

/* True if path passes the `keep` and `exclude` lists of the section ("debian", "kernel"). */
bool recipe_takes(const struct recipe *r, const char *section, const char *path);

/* Octal text such as "0755"; absent: def. */
int recipe_mode(const json_t *item, mode_t def, mode_t *out, struct err *e);

#endif
