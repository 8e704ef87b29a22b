/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INIT_GLOB_H
#define INIT_GLOB_H

#include <stdbool.h>
#include <stddef.h>

/*
 * True if the whole name matches the pattern of len bytes: * ? [abc] [a-z] [!a-z], what modules.alias is written in.
 * libc's fnmatch(3) brings Unicode tables that are a tenth of PID 1. Time is bounded by pattern times name.
 */
bool glob_match(const char *pattern, size_t len, const char *name);

#endif
