/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One file system entry on its way from a layer (or a `files:` word) to an output. Everything in an archive passes as
 * a sequence of these; contents are streamed, never held. Strings belong to whoever calls the entry_fn and are valid
 * during the call only.
 */
#ifndef TOOLS_IMAGE_ENTRY_H
#define TOOLS_IMAGE_ENTRY_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/err.h"

enum entry_type {
    ENTRY_FILE,
    ENTRY_DIR,
    ENTRY_SYMLINK,
    ENTRY_HARDLINK, /* `link` is the path of an entry that came before, in the same form as `path` */
    ENTRY_CHAR,
    ENTRY_BLOCK,
    ENTRY_FIFO,
};

struct entry_xattr {
    const char *name; /* "security.capability" */
    const void *value;
    size_t len;
};

struct entry {
    enum entry_type type;
    const char *path;     /* relative to the root, no leading, trailing or double slash, no "." or ".." */
    const char *spelling; /* how a tar names it, if that is not the path; else NULL */
    const char *kept;     /* the path once more, which lives as long as the build; NULL: nobody keeps it */
    const char *link;     /* symlink target as it is, or hard link target path; NULL otherwise */
    mode_t mode;          /* permission bits, 07777 */
    uint32_t uid, gid;
    uint64_t size;  /* regular files */
    int64_t mtime;  /* seconds */
    uint32_t nlink; /* regular files: how many names it will have, itself included; 0 or 1: no others are known */
    uint32_t dev_major, dev_minor;
    const struct entry_xattr *xattrs;
    size_t xattrs_len;
    const unsigned char *sha1; /* of the contents, 20 bytes, if they are not given with the entry; else NULL */
    const char *layer;         /* digest of the layer that it comes from; NULL: from none */
};

/* Contents of a regular file: read() gives at most len bytes, 0 at the end, or a negative errno with *e set. */
struct entry_content {
    ssize_t (*read)(void *ctx, void *data, size_t len, struct err *e);
    void *ctx;
};

/* content is NULL for everything but regular files; it need not be read to its end. Non-zero stops the walk. */
typedef int entry_fn(void *data, const struct entry *entry, const struct entry_content *content, struct err *e);

#endif
