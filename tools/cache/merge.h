/* SPDX-License-Identifier: Apache-2.0 */
/* Images for several platforms: one index, put together a platform at a time. */
#ifndef TOOLS_CACHE_MERGE_H
#define TOOLS_CACHE_MERGE_H

#include <jansson.h>

#include "tools/image/blob.h"

/*
 * Puts the platform's manifest (and its attestation, unless NULL) into the index that has the name; what that had of
 * the platform goes, other platforms stay. Without such a name, or when it is a single manifest, a new index is made.
 */
int index_put(const char *cache_dir, const char *name, const struct blob_desc *manifest, const char *arch,
              const struct blob_desc *attestation, struct err *e);

/* The manifest for the platform behind a name; -ENOENT; -ENODATA: it is a manifest of another platform. */
int index_manifest(const char *cache_dir, const char *name, const char *arch, struct blob_desc *out, struct err *e);

/* The same of an index or manifest, which *out is; the name is for messages. */
int index_manifest_of(const char *cache_dir, const char *name, const char *arch, struct blob_desc *out, struct err *e);

/* Appends the architectures of an index ("amd64"), each once; none if the name is that of a single manifest. */
int index_arches(const char *cache_dir, const char *name, json_t *out, struct err *e);

/*
 * *root becomes what is left of the image when only one platform is wanted: that one's manifest, or, if it has an
 * attestation, an index of the two, which is stored.
 */
int index_narrow(const char *cache_dir, const char *arch, struct blob_desc *root, struct err *e);

/* Stores an index of these entries and gives it the name. */
int index_store(const char *cache_dir, const char *name, json_t *entries, struct err *e);

#endif
