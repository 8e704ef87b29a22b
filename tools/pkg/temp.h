/* SPDX-License-Identifier: Apache-2.0 */
/* Temporary folders: names end in six random characters; only we can look into them. */
#ifndef TOOLS_PKG_TEMP_H
#define TOOLS_PKG_TEMP_H

#include <limits.h>

#include "lib/err.h"

struct temp_dir {
    char path[PATH_MAX]; /* "": there is none */
};

/* parent: NULL for $TMPDIR, else /tmp. The name starts with the prefix. */
int temp_dir_make(struct temp_dir *t, const char *parent, const char *prefix, struct err *e);

/* Removes it with everything in it. What cannot be removed is left, with a warning. */
void temp_dir_remove(struct temp_dir *t);
#define AUTO_TEMP_DIR AUTO(temp_dir_remove)

#endif
