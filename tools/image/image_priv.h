/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOOLS_IMAGE_IMAGE_PRIV_H
#define TOOLS_IMAGE_IMAGE_PRIV_H

#include "tools/image/blob.h"
#include "tools/image/image.h"

struct image {
    char *cache_dir;
    char *ref;
    char digest[DIGEST_MAX];
    json_t *config;
    struct blob_desc *layers; /* bottom first */
    size_t layers_len;
    json_t *attestations; /* descriptors of the manifests that the index has about this one; NULL: there is no index */
};

#endif
