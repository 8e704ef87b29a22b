/* SPDX-License-Identifier: Apache-2.0 */
/* The OCI layout's table of contents: index.json, whose entries carry org.opencontainers.image.ref.name. */
#ifndef TOOLS_IMAGE_LAYOUT_H
#define TOOLS_IMAGE_LAYOUT_H

#include <jansson.h>

#include "tools/image/blob.h"

#define REF_NAME "org.opencontainers.image.ref.name"

/* Descriptor of the newest entry with that name (normalized). -ENOENT: none, or no cache at all. */
int layout_find(const char *cache_dir, const char *ref, struct blob_desc *out, struct err *e);

/*
 * Gives `desc` the names; an entry that had one of them loses it. Makes the layout when there is none. Waits for other
 * writers (flock on the cache's lock file); readers see the old or the new index.
 */
int layout_name(const char *cache_dir, const struct blob_desc *desc, const char *const *refs, size_t refs_len,
                struct err *e);

#endif
