/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a path of runtime.json is. One that is relative lies in the container's root file system, and links that the
 * image has there lead nowhere else: an image whose /etc is a link to /var must not get the appliance's /var mounted
 * on.
 */
#ifndef RUNTIME_CONFIG_INSIDE_H
#define RUNTIME_CONFIG_INSIDE_H

#include "lib/err.h"

enum inside {
    INSIDE_FIND, /* it is there, whatever it is */
    INSIDE_DIR,  /* a directory, 0755: created if it is missing */
    INSIDE_FILE, /* no directory is needed; an empty file, 0644, is created if nothing is there */
};

/*
 * malloc'd in *out: an absolute path as it is, a relative one below BUNDLE/rootfs with all links resolved. What leads
 * to one that is created is created as directories, 0755. -ENOENT: it is not there; -ENOTDIR, -ENOMEM...
 */
int inside_path(const char *bundle, const char *path, enum inside what, char **out, struct err *e);

#endif
