/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the package databases of a root say: dpkg's (status, status.d, the lists of files) and apk's. Their texts are
 * given one after another, in any order; then packages_end() puts them together.
 */
#ifndef TOOLS_SBOM_PACKAGES_H
#define TOOLS_SBOM_PACKAGES_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/err.h"

#define PACKAGE_DATABASE_MAX ((size_t)64 << 20)

struct package {
    char *name, *version;
    char *arch;       /* NULL: not said */
    const char *kind; /* "deb", "apk"; NULL: it is in no distribution */
};

struct owned_path {
    char *path;        /* without leading slash */
    const char *owner; /* a package's name, with :ARCH if its list of files has it */
};

struct packages {
    struct package *v; /* by name, version and architecture */
    size_t len, cap;
    struct owned_path *owned; /* by path */
    size_t owned_len, owned_cap;
    char **owners; /* what `owner` points to */
    size_t owners_len, owners_cap;
    char *distribution; /* os-release's ID; NULL: not said */
};

/* Whether the file at this path of a root is one whose text is wanted. */
bool packages_want(const char *path);
/* The text is cut up. */
int packages_take(struct packages *p, const char *path, char *text, struct err *e);
/* One that no database has; kind: "deb", or NULL: it is in no distribution. */
int packages_add(struct packages *p, const char *name, const char *version, const char *kind, struct err *e);
/* May be called again after more was given. */
void packages_end(struct packages *p);

#define PACKAGE_UNKNOWN ((size_t)-1)
/* Index of the package that brought the file, or PACKAGE_UNKNOWN. /bin, /lib and /sbin are those of /usr, too. */
size_t packages_owner(const struct packages *p, const char *path);

/* Index of the package of that name, which may have :ARCH at its end; or PACKAGE_UNKNOWN. */
size_t packages_find(const struct packages *p, const char *name);

/* "pkg:deb/debian/libc6@2.36-9%2Bdeb12u1?arch=amd64", malloc'd; NULL: no memory. It must be in a distribution. */
char *package_url(const struct packages *p, const struct package *package);

void packages_free(struct packages *p);
#define AUTO_PACKAGES AUTO(packages_free)

#endif
