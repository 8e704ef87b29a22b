/* SPDX-License-Identifier: Apache-2.0 */
/* `keelson pkg build`, `push` and `manifest`: a package into the cache, and from there to a registry. */
#ifndef TOOLS_PKG_BUILD_H
#define TOOLS_PKG_BUILD_H

#include "tools/pkg/builders.h"
#include "tools/pkg/package.h"
#include "tools/registry/registry.h"

#define ARCHES_MAX 8

struct build_options {
    const char *cache_dir;
    const char *platforms, *skip_platforms; /* "linux/amd64,linux/arm64"; NULL: this machine's */
    const char *release;                    /* with push: another tag for the same image */
    char *const *arg_files, *const *ssh;
    size_t arg_files_len, ssh_len;
    const char *builders, *progress; /* as dockerfile_build's */
    struct buildkit buildkit;        /* as dockerfile_build's */
    struct registry *registry;
    bool force, pull, pull_bases, push, no_build, no_sbom, dry_run, docker, manifest;
};

struct arches {
    const char *v[ARCHES_MAX];
    size_t len;
};

/* Whether all words of a list of platforms are known; the message lists what is. */
int build_arches_check(const char *list, struct err *e);
/* The platforms that are asked for and that the package is for. */
void build_arches(const struct package *p, const struct build_options *o, struct arches *out);

/* Prints ORG/IMAGE:TAG, for each platform if the tag is one of contents. A package for none of the platforms is skipped
 * with a notice. */
int build_package(const struct package *p, const struct build_options *o, struct err *e);

/* Puts the index in the registry together from the images TAG-ARCH that are there. */
int build_manifest(const struct package *p, const struct build_options *o, struct err *e);

#endif
