/* SPDX-License-Identifier: Apache-2.0 */
/* What a build asks before it opens an image: that the cache has it. */
#ifndef TOOLS_REGISTRY_ENSURE_H
#define TOOLS_REGISTRY_ENSURE_H

#include "tools/image/blob.h"
#include "tools/registry/registry.h"
#include "tools/trust/trust.h"

struct image_ensure {
    const char *cache_dir;
    const char *arch;            /* "amd64", "arm/v7", as in OCI; NULL: all that the image has */
    bool pull;                   /* ask the registry even for a tag that the cache has; once for each name */
    bool offline;                /* never ask */
    bool docker;                 /* look into Docker's own store first, with the docker of PATH */
    struct registry *registry;   /* from registry_new(); not used if offline */
    const struct policy *policy; /* which images must be signed; NULL: none */
    const json_t *trust;         /* `trust:` of the linuxkit.yml, an object; NULL: none */
};

/*
 * 0: the cache has all that image_open() and image_walk() need of `ref` (in any form). No request is sent if it had it
 * before, unless `pull`, and never for a digest that is there. Of several processes that need the same image one pulls
 * it. -EKEYREJECTED: a signature that the policy asks for is missing or wrong. -ENOENT: neither the cache nor a
 * registry has it; offline: the message says what is missing and how to get it. *root: the index or manifest whose
 * signature was checked; the name may lead elsewhere at any moment.
 */
int image_ensure(const struct image_ensure *o, const char *ref, struct blob_desc *root, struct err *e);

#endif
