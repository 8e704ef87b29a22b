/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A package: its recipe, and the name and tag that it gets. With a Dockerfile the tag is that of LinuxKit: the hash of
 * the folder's git tree, with "-dirty-" and seven digits over the contents if they differ. Without one (our own
 * builder) it is the hash of the image's contents, and known once it was built.
 */
#ifndef TOOLS_PKG_PACKAGE_H
#define TOOLS_PKG_PACKAGE_H

#include "tools/pkg/recipe.h"

struct package_options {
    const char *org, *hash, *hash_commit, *hash_path, *tag, *build_yml, *dockerfile; /* NULL: not given */
    bool force_dirty, dev;
    bool disable_cache, enable_cache, network, no_network;
};

struct package {
    struct recipe recipe;
    char *dir;        /* absolute */
    char *dockerfile; /* absolute; NULL: our own builder makes it */
    char *org;
    char *hash; /* NULL: not known before it is built */
    char *tag;  /* NULL likewise */
    char *name; /* "ORG/IMAGE" */
    bool dirty, in_git, network, no_cache;
};

int package_load(const char *dir, const struct package_options *o, struct package *p, struct err *e);
void package_free(struct package *p);
#define AUTO_PACKAGE AUTO(package_free)

/* "ORG/IMAGE:TAG", malloc'd; of an image of our own builder as it lies in the cache. */
int package_ref(const struct package *p, const char *cache_dir, const char *arch, char **out, struct err *e);

/* `{{.Hash}}` in a template becomes the hash; malloc'd. -EINVAL: there is something else in braces. */
int package_expand_tag(const char *template, const char *hash, char **out, struct err *e);

#endif
