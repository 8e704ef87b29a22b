/* SPDX-License-Identifier: Apache-2.0 */
/* NAME.log becomes NAME.log.0, that one NAME.log.1, and so on; with compression NAME.log.0.zst. */
#ifndef MEMLOGD_ROTATE_H
#define MEMLOGD_ROTATE_H

#include <limits.h>
#include <stdbool.h>

#include "lib/err.h"

struct rotation {
    const char *dir;
    unsigned max_files; /* rotated ones that stay, at least 1 */
    bool compress, sync;
};

/* number -1: NAME.log itself. -ENAMETOOLONG. */
int rotate_path(const char *dir, const char *name, int number, const char *suffix, char path[PATH_MAX]);

/*
 * Moves them, and compresses the newest. May be cut off anywhere and done again: no file is lost that should stay, and
 * of one that is there both ways the next rotation drops the other. A file that could not be compressed stays as it is:
 * an error too, but *moved is true.
 */
int rotate_files(const struct rotation *r, const char *name, bool *moved, struct err *e);

#endif
