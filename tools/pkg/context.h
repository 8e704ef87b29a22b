/* SPDX-License-Identifier: Apache-2.0 */
/* The folder that a Dockerfile's build sees. */
#ifndef TOOLS_PKG_CONTEXT_H
#define TOOLS_PKG_CONTEXT_H

#include "tools/pkg/package.h"
#include "tools/registry/registry.h"

/*
 * The package's own folder, or, if it has extra sources or depends on images, a copy of it in temp with these. *out is
 * malloc'd.
 */
int context_make(const struct package *p, const char *cache_dir, const char *arch, struct registry *registry,
                 const char *temp, char **out, struct err *e);

#endif
