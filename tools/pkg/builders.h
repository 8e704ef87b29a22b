/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which program makes images from Dockerfiles: buildah or docker buildx, whichever is there, or the one that
 * KEELSON_BUILDER names; and, of docker, which context (docker-context(1)) builds for an architecture.
 */
#ifndef TOOLS_PKG_BUILDERS_H
#define TOOLS_PKG_BUILDERS_H

#include <stdbool.h>

#include "lib/err.h"

enum builder_kind { BUILDER_BUILDAH, BUILDER_DOCKER };

/* What a builder of `docker buildx` is to be, one that runs in a container of its own. */
struct buildkit {
    const char *name;   /* NULL: linuxkit-builder, if one of the others is given; else the one in use */
    const char *image;  /* of the container; NULL: docker's default */
    const char *config; /* a buildkitd.toml; NULL: none */
    bool restart;       /* make it anew although it is there */
};

struct builder {
    enum builder_kind kind;
    char *node;    /* the builder of docker buildx; NULL: the one in use */
    char *context; /* of docker; NULL: the one in use */
};

/*
 * list: "linux/ARCH=CONTEXT,..." as of --builders; what it does not say, KEELSON_BUILDERS or LINUXKIT_BUILDERS may, and
 * after them a context named linuxkit-linux-ARCH. A context that is listed means docker, and has to be there. -ENOENT:
 * there is neither buildah nor docker buildx; -EINVAL: a list is wrong. Free also after an error.
 */
int builder_find(const char *list, const char *arch, struct builder *out, struct err *e);
/*
 * After builder_find(): sees to it that the builder of docker buildx is there, and sets node. One that is there already
 * is taken as it is unless restart is set. Only looks if `dry_run`.
 */
int builder_start(struct builder *b, const struct buildkit *want, bool dry_run, struct err *e);
void builder_free(struct builder *b);
#define AUTO_BUILDER AUTO(builder_free)

/* The context that a list has for linux/ARCH, malloc'd; NULL: none. All of the list is checked. */
int builders_context(const char *list, const char *arch, char **out, struct err *e);

#endif
