/* SPDX-License-Identifier: Apache-2.0 */
/* Between libarchive's entries and ours. */
#ifndef TOOLS_IMAGE_TAR_H
#define TOOLS_IMAGE_TAR_H

#include <archive.h>

#include "tools/image/entry.h"

#define ENTRY_PATH_MAX 4096
#define ENTRY_XATTRS_MAX 64
#define ENTRY_XATTR_NAME_MAX 255 /* Linux's */
#define ENTRY_ID_MAX 4294967294U /* one more means "leave it as it is" */

/* A path without ./, leading, trailing and double slashes; "" is the root. -EINVAL for ".." and for what is too long.
 */
int entry_path_clean(const char *raw, char *out, size_t len, struct err *e);

/*
 * Opens for writing into a descriptor, the same bytes whatever it is of. archive_write_open_fd() leaves out why a write
 * has failed.
 */
int tar_open_fd(struct archive *a, const int *fd);
/* What libarchive could not write, and why. */
int tar_error(struct archive *a, const char *path, struct err *e);
/* Writes header and contents. */
int tar_write_entry(struct archive *a, const struct entry *entry, const struct entry_content *content, struct err *e);

/*
 * Calls fn for every entry of an archive opened for reading, the root directory itself included (path ""). Contents
 * are read from the archive. Returns what fn returned, 0 at the end, or a negative errno.
 */
int tar_read(struct archive *a, const char *what, entry_fn *fn, void *data, struct err *e);

#endif
