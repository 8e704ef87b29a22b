/* SPDX-License-Identifier: Apache-2.0 */
/* What a Dockerfile's build is told: build arguments and labels, each as an object of strings. */
#ifndef TOOLS_PKG_ARGS_H
#define TOOLS_PKG_ARGS_H

#include <jansson.h>

#include "tools/pkg/package.h"

struct args_context {
    const char *cache_dir, *arch; /* to find the tags of packages of our own builder */
};

/*
 * The recipe's buildArgs, those of files (a NAME=VALUE a line; empty lines and those that begin with # are left out),
 * the preset ones that nobody has set, and the proxies of the environment. A value "@lkt:pkg:FOLDER" becomes that
 * package's ORG/IMAGE:TAG; "NAME_%=@lkt:pkgs:GLOB" becomes an argument for each package. A new reference.
 */
int args_build(const struct package *p, const struct args_context *c, char *const *files, size_t files_len,
               json_t **out, struct err *e);

int args_labels(const struct package *p, json_t **out, struct err *e);

#endif
