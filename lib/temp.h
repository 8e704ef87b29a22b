/* SPDX-License-Identifier: Apache-2.0 */
/* Temporary files and folders: names end in six random characters; only we can look into them. */
#ifndef LIB_TEMP_H
#define LIB_TEMP_H

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

#include "lib/err.h"

struct temp_dir {
    char path[PATH_MAX]; /* "": there is none */
};

/* parent: NULL for $TMPDIR, else /tmp. The name starts with the prefix. */
int temp_dir_make(struct temp_dir *t, const char *parent, const char *prefix, struct err *e);

/*
 * The same for what is to become `path`: in the folder that it is in, or $TMPDIR if it is NULL, or a device or the
 * like. It begins with "/" or "./": for programs that would take a dash, or a colon, for something else. As
 * temp_file_make() it removes what a process that was killed has left of this.
 */
int temp_dir_make_beside(struct temp_dir *t, const char *path, struct err *e);

/* Removes it with everything in it. What cannot be removed is left, with a warning. */
void temp_dir_remove(struct temp_dir *t);
#define AUTO_TEMP_DIR AUTO(temp_dir_remove)

/*
 * Where a path leads: itself, or what links that it is lead to, which need not be there. malloc'd in *out. 0 or -errno;
 * -EACCES: somebody else's link in a folder that all may write to, which is not followed (as protected_symlinks has
 * it).
 */
int temp_target(const char *path, char **out);

/*
 * A file beside the target of `path`, from which temp_file_rename() makes that. The descriptor, or -errno; *made is its
 * name, malloc'd. It is locked (flock) while the descriptor is open; those that nobody has locked any more, as their
 * process was killed, are removed before. -EISDIR: the target is a folder, which no file can become.
 */
int temp_file_make(const char *path, char **made);
/* Gives it its name, over what has that, and the rights of a new file; then it is no longer temporary. 0 or -errno. A
 * link of that name stays, and its target is replaced. */
int temp_file_rename(const char *path, const char *to);
/* The same in the place of whatever has that name, a link too, and with these rights. */
int temp_file_keep(const char *path, const char *to, mode_t mode);
void temp_file_remove(const char *path);

/*
 * A device, a FIFO and the like are written into, where a file is replaced: opens it, and waits for a FIFO's reader.
 * -ENOENT: there is nothing, a file or a folder.
 */
int temp_special_open(const char *path);
bool temp_is_special(const char *path);
/* A whole file in that way, with the rights of a new one. */
int temp_file_write(const char *path, const void *data, size_t len, struct err *e);

/* A file without a name in $TMPDIR, else /tmp (tmpfile(3) knows the latter only): a descriptor, or a negative errno. */
int temp_unnamed(struct err *e);
/* The same as a stream to write and read. 0, or a negative errno, and then *out is NULL. */
int temp_unnamed_stream(FILE **out, struct err *e);

/*
 * From here on SIGINT, SIGTERM and SIGHUP (unless it is ignored, as under nohup) remove what there is of the above, and
 * then end the program as they do. For programs that do not handle these signals themselves, before they have threads.
 */
int temp_remove_on_signals(struct err *e);

#endif
