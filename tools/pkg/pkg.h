/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOOLS_PKG_PKG_H
#define TOOLS_PKG_PKG_H

#include "lib/err.h"

/* `keelson pkg COMMAND [OPTION]...`: argv[0] is "pkg". Returns the exit status. */
int pkg_main(int argc, char **argv);

/*
 * "ORG/IMAGE:TAG" of the package in a folder, malloc'd: what `keelson pkg show-tag` prints, and what `@pkg:FOLDER` in a
 * linuxkit.yml stands for (a relative folder is relative to the YAML's; joining them is the caller's).
 */
int pkg_ref(const char *dir, const char *cache_dir, const char *arch, char **out, struct err *e);

#endif
