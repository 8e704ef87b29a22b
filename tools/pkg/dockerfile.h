/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Images from a Dockerfile, made by the builder that builders.h finds. The result is imported into the cache; it stays
 * in the builder's own store, too, which is not relied upon. Build time is at most BUILD_MS.
 */
#ifndef TOOLS_PKG_DOCKERFILE_H
#define TOOLS_PKG_DOCKERFILE_H

#include "tools/pkg/args.h"
#include "tools/pkg/builders.h"
#include "tools/registry/ensure.h"

#define BUILD_MS (4u * 60 * 60 * 1000)

struct dockerfile_build {
    const struct package *package;
    const char *cache_dir, *arch;
    const char *name; /* in the cache, in full */
    char *const *arg_files;
    size_t arg_files_len;
    char *const *ssh; /* as the builder's --ssh */
    size_t ssh_len;
    const char *builders;      /* as builder_find()'s list; NULL: none */
    struct buildkit buildkit;  /* docker's builder */
    const char *progress;      /* as docker's --progress; NULL: as it likes */
    struct registry *registry; /* for depends: docker-images */
    bool pull_bases;           /* ask the registries for the images that the Dockerfile begins with */
    bool dry_run;              /* print the builder's command line instead of running it */
};

/* Builds for one architecture and names it; -ENOENT: there is no builder. */
int dockerfile_build(const struct dockerfile_build *b, struct err *e);

#endif
