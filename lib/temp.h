/* SPDX-License-Identifier: Apache-2.0 */
/* Temporary files and folders: names end in six random characters; only we can look into them. */
#ifndef LIB_TEMP_H
#define LIB_TEMP_H

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

/* path ends in XXXXXX, which is replaced. The descriptor, or -errno. */
int temp_file_make(char *path);
/* Gives it its name, over what has that; then it is no longer temporary. 0 or -errno. */
int temp_file_rename(const char *path, const char *to);
void temp_file_remove(const char *path);

/*
 * From here on SIGINT, SIGTERM and SIGHUP (unless it is ignored, as under nohup) remove what there is of the above, and
 * then end the program as they do. For programs that do not handle these signals themselves, before they have threads.
 */
int temp_remove_on_signals(struct err *e);

#endif
