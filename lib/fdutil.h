/* SPDX-License-Identifier: Apache-2.0 */
/* Whole reads and writes, whole files, directories. All descriptors are close-on-exec. EINTR never shows. */
#ifndef LIB_FDUTIL_H
#define LIB_FDUTIL_H

#include <stdbool.h>
#include <sys/types.h>

#include "lib/buf.h"
#include "lib/err.h"

/* Reads until len bytes or end of file; returns the number of bytes read, or a negative errno. */
ssize_t read_full(int fd, void *data, size_t len);
int write_full(int fd, const void *data, size_t len);

/*
 * First of all in main(): a standard descriptor that is closed would be the number of the next file that is opened, and
 * what is printed would go into that. It is held instead, and reading or writing it fails as before. 0 or -errno.
 */
int hold_standard_fds(void);

/* Appends what is left of a file to b, at most `max` bytes. 0 or -errno, -EFBIG beyond. */
int read_rest(int fd, size_t max, struct buf *b);
/* Appends a whole file to b, at most `max` bytes (-EFBIG beyond). dirfd: AT_FDCWD or a directory. */
int read_file_at(int dirfd, const char *path, size_t max, struct buf *b, struct err *e);
int read_file(const char *path, size_t max, struct buf *b, struct err *e);

/* Writes aside and renames, so that a reader sees the old or the new file. fsyncs if `sync`. */
int write_file_atomic(const char *path, const void *data, size_t len, mode_t mode, bool sync, struct err *e);

/*
 * Opens a log for appending, made if it is missing. A container may be able to write where it lies: a link, a FIFO or
 * anything else that is no regular file is refused, and nothing is waited for. Returns a descriptor.
 */
int open_log_file(const char *path, struct err *e);

/* For /proc, /sys and cgroup files: one open without O_CREAT, one write. */
int write_sysfile(const char *path, const char *value, struct err *e);

/* Creates the directory and its parents (0755 for parents); an existing directory is fine. */
int mkdir_p(const char *path, mode_t mode, struct err *e);

/* malloc'd "a/b"; exactly one slash between; NULL when out of memory. */
char *path_join(const char *a, const char *b);

/* Two descriptors are of one file. */
bool is_same_file(int a, int b);

/* Collects directory entries without . and .. , sorted by bytes; free with names_free(). */
struct names {
    char **v;
    size_t len;
};
int list_dir(const char *path, struct names *out, struct err *e);
void names_free(struct names *n);
#define AUTO_NAMES AUTO(names_free)

/* The next line of a text that it cuts up in place, without its newline; *pos starts at the text. NULL: no more. */
char *next_line(char **pos);

/* Decimal without sign, white space or anything after it; -EINVAL, -ERANGE. */
int parse_u64(const char *s, uint64_t max, uint64_t *out);

#endif
