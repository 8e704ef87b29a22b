/* SPDX-License-Identifier: Apache-2.0 */
/* The CD with user data that an appliance's metadata container reads: one file, "config". */
#ifndef TOOLS_RUN_METADATA_H
#define TOOLS_RUN_METADATA_H

#include <stddef.h>

#include "lib/err.h"

#define METADATA_MAX ((size_t)16 << 20)

/* Writes the ISO (xorriso does it), in place of one that is there. The same data give the same bytes. */
int metadata_write(const char *iso, const void *data, size_t len, struct err *e);

/* `keelson metadata create ISO TEXT|--file FILE`: argv[0] is "metadata". Returns the exit status. */
int metadata_main(int argc, char **argv);

#endif
