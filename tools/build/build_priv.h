/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOOLS_BUILD_BUILD_PRIV_H
#define TOOLS_BUILD_BUILD_PRIV_H

#include "lib/buf.h"
#include "tools/build/build.h"
#include "tools/image/image.h"

/* The time of everything that the builder makes itself: LinuxKit's. */
#define DEFAULT_MTIME 1492533000

#define APK_DB "lib/apk/db/installed"
#define RESOLV_LINK "/run/resolvconf/resolv.conf"

/* A regular file whose contents are in memory. */
int add_bytes(const struct build *b, const struct origin *origin, const char *path, mode_t mode, const void *data,
              size_t len, struct err *e);
/* The same with a time. */
int add_bytes_at(const struct build *b, const struct origin *origin, const char *path, mode_t mode, int64_t mtime,
                 const void *data, size_t len, struct err *e);
/* A directory of root's, mode 0755. */
int add_dir(const struct build *b, const struct origin *origin, const char *path, struct err *e);
/* The same for path and all its parents. */
int add_dirs(const struct build *b, const struct origin *origin, const char *path, struct err *e);
/* The error for an image that the cache does not have; always -ENOENT. */
int image_missing(const struct build *b, const char *ref, const char *place, struct err *e);
/* The index or manifest that the image had when it was brought. */
int build_image_root(const struct build *b, const char *ref, struct blob_desc *root, struct err *e);
/* place: FILE:LINE:COLUMN of the name, for messages. */
int open_image(const struct build *b, const char *ref, const char *place, struct image **out, struct err *e);
/* An image's name in origins and metadata, malloc'd: in full, but without the ":latest" that the YAML leaves out. */
char *image_name(const char *ref);

/*
 * An image's root below prefix ("" or a path): some files of it are left out or replaced, some are always there.
 * resolv_link: where etc/resolv.conf points, or NULL for an empty-looking file. With apk_db, each APK_DB is appended to
 * it, two newlines after each.
 */
int add_image_root(const struct build *b, const struct image *img, const char *prefix, const struct origin *origin,
                   const char *resolv_link, struct buf *apk_db, struct err *e);

/* The configuration for a `metadata:` file (kind: "json" or "yaml"), with full image names; malloc'd. */
int make_metadata(const struct config *c, const char *kind, char **out, struct err *e);

/* Owners and sources of the files, all of them; what is wrong goes to p. Fails only without memory. */
int check_files(const struct config *c, struct problems *p, struct err *e);
int add_files(const struct build *b, struct err *e);

#endif
