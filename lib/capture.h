/* SPDX-License-Identifier: Apache-2.0 */
/* A program's standard output, whole. For command line programs only: it blocks. */
#ifndef LIB_CAPTURE_H
#define LIB_CAPTURE_H

#include <stdbool.h>

#include "lib/buf.h"
#include "lib/err.h"

#define CAPTURE_MAX ((size_t)16 << 20)
#define CAPTURE_MS (2 * 60 * 1000)

/*
 * Runs argv, and appends what it prints to out (NULL: thrown away), without the newlines at its end. quiet: what it
 * says on stderr is thrown away, too. Returns the exit status (128 + signal for a killed one), or a negative errno.
 */
int capture(const char *const *argv, bool quiet, struct buf *out, struct err *e);

#endif
