/* SPDX-License-Identifier: Apache-2.0 */
/* All blobs that belong to an image: its index, manifests, configurations, layers and attestations. */
#ifndef TOOLS_CACHE_CLOSURE_H
#define TOOLS_CACHE_CLOSURE_H

#include <jansson.h>
#include <stdbool.h>

#include "tools/image/blob.h"

struct closure_item {
    struct blob_desc desc;
    bool manifest; /* a manifest or an index */
    bool there;    /* the cache has it, with the right size */
};

struct closure {
    struct closure_item *v; /* what refers to others comes after them; each once */
    size_t len, cap;
    size_t missing;
    char example[DIGEST_MAX]; /* one that is missing */
};

/*
 * Adds what `root` reaches, of an index only what is for linux/ARCH (NULL: everything). What the cache lacks is counted
 * and not an error; a document that is damaged is. -ENOENT: an index without that platform; -ENODATA: a manifest of
 * another one.
 */
int closure_add(struct closure *c, const char *cache_dir, const struct blob_desc *root, const char *arch,
                struct err *e);
void closure_free(struct closure *c);
#define AUTO_CLOSURE AUTO(closure_free)

/* Whether a manifest without an index is for linux/ARCH: see image_platform_check(). What is missing is not looked at.
 */
int manifest_platform_check(const char *cache_dir, const json_t *manifest, const char *arch, struct err *e);

/* ARCH is an architecture ("arm64"), or one with its variant ("arm/v7"); without a variant, any of them is meant. */

/* The first entry of the index for linux/ARCH; NULL: none. */
const json_t *index_platform(const json_t *index, const char *arch);
/* "it has no variant for linux/ARCH, only for ..."; returns code. */
int index_lacks(const json_t *index, const char *arch, int code, struct err *e);
/* Whether an entry is for linux/ARCH, or an attestation of that one; always true if arch is NULL. */
bool index_wants(const json_t *index, const json_t *entry, const char *arch);
/* "linux/amd64, linux/arm64": what an index has, for messages; out is returned. */
const char *index_platforms(const json_t *index, char *out, size_t len);

#endif
