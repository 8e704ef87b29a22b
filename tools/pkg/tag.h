/* SPDX-License-Identifier: Apache-2.0 */
/* The tag of an image is the hash of what is in it: of its configuration and of its layers before compression. */
#ifndef TOOLS_PKG_TAG_H
#define TOOLS_PKG_TAG_H

#include <jansson.h>

#include "lib/err.h"

#define TAG_LEN 40

/* config: the `config` object of an OCI image configuration; diff_ids: its layers' digests. tag: TAG_LEN + 1 bytes. */
int tag_make(const json_t *config, const json_t *diff_ids, char *tag, struct err *e);

/*
 * The tag of docker.io/ORG/IMAGE:latest in the cache. -ENOENT: there is no such image, or it is one that was not made
 * by us and is not there under its tag.
 */
int tag_find(const char *cache_dir, const char *org, const char *image, const char *arch, char *tag, struct err *e);

#endif
