/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a path of runtime.json is. One that is relative lies in the container's root file system, and links that the
 * image has there lead nowhere else: an image whose /etc is a link to /var must not get the appliance's /var mounted
 * on.
 */
#ifndef RUNTIME_CONFIG_INSIDE_H
#define RUNTIME_CONFIG_INSIDE_H

#include <stdbool.h>

#include "lib/err.h"

/*
 * malloc'd in *out: an absolute path as it is, a relative one below BUNDLE/rootfs with all links resolved. create: it
 * and what leads to it are created as directories, 0755, where they are missing. -ENOENT: it is not there; -ENOTDIR,
 * -ENOMEM...
 */
int inside_path(const char *bundle, const char *path, bool create, char **out, struct err *e);

#endif
