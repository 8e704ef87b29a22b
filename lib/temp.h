/* SPDX-License-Identifier: Apache-2.0 */
/* Temporary files and folders: names end in six random characters; only we can look into them. */
#ifndef LIB_TEMP_H
#define LIB_TEMP_H

#include <limits.h>
#include <stdbool.h>

#include "lib/err.h"

struct temp_dir {
    char path[PATH_MAX]; /* "": there is none */
};

/* parent: NULL for $TMPDIR, else /tmp. The name starts with the prefix. */
int temp_dir_make(struct temp_dir *t, const char *parent, const char *prefix, struct err *e);

/* In the folder that path is in; as with a parent of NULL if path is NULL, or a device or the like. */
int temp_dir_make_beside(struct temp_dir *t, const char *path, const char *prefix, struct err *e);

/* Removes it with everything in it. What cannot be removed is left, with a warning. */
void temp_dir_remove(struct temp_dir *t);
#define AUTO_TEMP_DIR AUTO(temp_dir_remove)

/* path ends in XXXXXX, which is replaced. The descriptor, or -errno. */
int temp_file_make(char *path);
/* Gives it its name, over what has that, and the rights of a new file; then it is no longer temporary. 0 or -errno. */
int temp_file_rename(const char *path, const char *to);
void temp_file_remove(const char *path);

/*
 * A device, a FIFO and the like are written into, where a file is replaced: opens it, and waits for a FIFO's reader.
 * -ENOENT: there is nothing, a file or a folder.
 */
int temp_special_open(const char *path);
bool temp_is_special(const char *path);
/* A whole file in that way, with the rights of a new one. */
int temp_file_write(const char *path, const void *data, size_t len, struct err *e);

/*
 * From here on SIGINT, SIGTERM and SIGHUP (unless it is ignored, as under nohup) remove what there is of the above, and
 * then end the program as they do. For programs that do not handle these signals themselves, before they have threads.
 */
int temp_remove_on_signals(struct err *e);

#endif
