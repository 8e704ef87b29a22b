/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A package folder's build.yml, with all of LinuxKit's keys; those that tell how to build are for packages with a
 * Dockerfile. Ours: `debian` (packages, unpacked), `kernel` (`kernel` and `kernel.tar`
 * from a kernel package), `copy`, `files`, `links`, and `command`, `entrypoint`, `env`, `workdir` of the image's
 * configuration. keelson-pkg(1) has the reference.
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

/* In `package`, `packages` and `from`: the architecture that the image is made for, such as amd64. */
#define RECIPE_ARCH "@arch@"

struct recipe {
    char *dir;   /* the folder */
    json_t *doc; /* checked against the schema */
    const char *image, *org;
};

/* Reads DIR/build.yml and checks all that can be checked without looking anywhere else. */
int recipe_load(const char *dir, struct recipe *r, struct err *e);
/* The same with a file of another name. */
int recipe_load_file(const char *dir, const char *file_name, struct recipe *r, struct err *e);
void recipe_free(struct recipe *r); /* also after a recipe_load() that failed */
#define AUTO_RECIPE AUTO(recipe_free)

bool recipe_has_arch(const struct recipe *r, const char *arch);

/* True if one of the globs (a list; NULL: none) matches the path. */
bool recipe_matches(const json_t *globs, const char *path);

/* True if path passes the `keep` and `exclude` lists of the section ("debian", "kernel"). */
bool recipe_takes(const struct recipe *r, const char *section, const char *path);

/* The item's `mode`, octal text such as "0755"; absent: def. */
int recipe_mode(const json_t *item, mode_t def, mode_t *out, struct err *e);

/* Puts where the section or item stands, "FILE:LINE:COLUMN: ", before the error; returns r. */
int recipe_blame(const json_t *item, int r, struct err *e);

/* What recipe_load() asks about a document that has passed the schema. */
int recipe_check(const json_t *doc, struct err *e);

#endif
