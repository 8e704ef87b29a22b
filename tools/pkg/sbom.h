/* SPDX-License-Identifier: Apache-2.0 */
/* What is attested of an image that is made here: an SPDX document of its packages, as BuildKit does (in-toto). */
#ifndef TOOLS_PKG_SBOM_H
#define TOOLS_PKG_SBOM_H

#include "tools/image/blob.h"
#include "tools/image/image.h"

/* Stores the attestation manifest in the cache: an SPDX 2.3 document of the image's packages; equal images have equal
 * ones. */
int sbom_attest(const char *cache_dir, const struct image *img, struct blob_desc *out, struct err *e);

#endif
