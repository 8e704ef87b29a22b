/* SPDX-License-Identifier: Apache-2.0 */
/* Debian packages: fetched with apt-get, read with libarchive. Nothing is installed and no maintainer script runs. */
#ifndef TOOLS_PKG_DEBIAN_H
#define TOOLS_PKG_DEBIAN_H

#include "lib/buf.h"
#include "tools/image/entry.h"

struct deb {
    char *package; /* name asked for */
    char *path;    /* of the .deb */
    char *version;
    char *sha256; /* hexadecimal; of the .deb, as apt's signed lists have it */
};

/*
 * Downloads the packages that deb_dir does not have yet, or only damaged, in the version that apt would install, for
 * the architecture ("amd64"); *debs gets len entries, in the order asked for. Several at once, in several processes,
 * are safe; one waits while another fetches. The .deb files stay until somebody removes them.
 */
int debian_fetch(const char *deb_dir, const char *arch, const char *const *packages, size_t len, struct deb *debs,
                 struct err *e);
void debs_free(struct deb *debs, size_t len);

/* Calls fn for each entry of the package's file tree (path "" is its root). */
int deb_walk(const struct deb *deb, entry_fn *fn, void *data, struct err *e);

/* Appends the package's control file. */
int deb_control(const struct deb *deb, struct buf *out, struct err *e);

#endif
