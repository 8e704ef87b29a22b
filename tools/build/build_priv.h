/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOOLS_BUILD_BUILD_PRIV_H
#define TOOLS_BUILD_BUILD_PRIV_H

#include "lib/buf.h"
#include "tools/build/build.h"
#include "tools/image/image.h"

/* The time of everything that the builder makes itself: LinuxKit's. */
#define DEFAULT_MTIME 1492533000

#define APK_DB "lib/apk/db/installed"

/* A regular file whose contents are in memory. */
int add_bytes(const struct build *b, const struct origin *origin, const char *path, mode_t mode, const void *data,
              size_t len, struct err *e);
/* A directory of root's, mode 0755. */
int add_dir(const struct build *b, const struct origin *origin, const char *path, struct err *e);
/* The same for path and all its parents. */
int add_dirs(const struct build *b, const struct origin *origin, const char *path, struct err *e);
int open_image(const struct build *b, const char *ref, struct image **out, struct err *e);
/* An image's name in origins and metadata, malloc'd: in full, but without the ":latest" that the YAML leaves out. */
char *image_name(const char *ref);

/*
 * An image's root below prefix ("" or a path): some files of it are left out or replaced, some are always there.
 * resolv_link: where etc/resolv.conf points, or NULL for an empty-looking file. With apk_db, each APK_DB is appended to
 * it (two newlines after each) and counted.
 */
int add_image_root(const struct build *b, const struct image *img, const char *prefix, const struct origin *origin,
                   const char *resolv_link, struct buf *apk_db, unsigned *apk_dbs, struct err *e);

int add_kernel(const struct build *b, struct err *e);
int add_containers(const struct build *b, struct err *e);
/* The configuration for a `metadata:` file ("json" or "yaml"; JSON is both), with full image names; malloc'd. */
int make_metadata(const struct config *c, char **out, struct err *e);

int add_files(const struct build *b, struct err *e);

#endif
