/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asking apt-get, the one of PATH. Its own words go to stderr. Bounds: APT_PACKAGES_MAX packages at once, ten minutes.
 *
 * For another architecture than the host's it has lists of packages of its own, in DEB_DIR/apt-ARCH, from the sources
 * that the host's apt is configured with: nothing of the host's is changed and nobody has to be root. They are brought
 * up to date when they are older than the host's.
 */
#ifndef TOOLS_PKG_APT_H
#define TOOLS_PKG_APT_H

#include "tools/pkg/debian.h"

#define APT_PACKAGES_MAX 256

/* Which files apt would download for the packages: fills debs, in the order asked for, with paths in deb_dir. */
int apt_list(const char *deb_dir, const char *arch, const char *const *packages, size_t len, struct deb *debs,
             struct err *e);

/* Downloads the packages into dir. */
int apt_download(const char *deb_dir, const char *arch, const char *dir, const char *const *packages, size_t len,
                 struct err *e);

#endif
