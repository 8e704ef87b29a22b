/* SPDX-License-Identifier: Apache-2.0 */
/* The OCI layout's table of contents: index.json, whose entries carry org.opencontainers.image.ref.name. */
#ifndef TOOLS_IMAGE_LAYOUT_H
#define TOOLS_IMAGE_LAYOUT_H

#include <jansson.h>

#include "tools/image/blob.h"

#define REF_NAME "org.opencontainers.image.ref.name"

/*
 * Descriptor of the entry with that name (normalized; without ":latest" if none has that), or of the digest that the
 * name ends in, wherever that lies.
 * -ENOENT: none, or no cache at all.
 */
int layout_find(const char *cache_dir, const char *ref, struct blob_desc *out, struct err *e);

/*
 * The same for a name as somebody wrote it, whose full form is `full`. LinuxKit keeps names without a tag apart from
 * the same with ":latest": where the cache has the former, it is meant.
 */
int layout_find_written(const char *cache_dir, const char *written, const char *full, struct blob_desc *out,
                        struct err *e);

/*
 * Gives `desc` the names; an entry that had one of them loses it. NAME:latest is given to an entry NAME, too. Makes the
 * layout when there is none. Waits for other writers (flock on the cache's lock file); readers see the old or the new
 * index.
 */
int layout_name(const char *cache_dir, const struct blob_desc *desc, const char *const *refs, size_t refs_len,
                struct err *e);

/* The index as it is, a new reference; an empty one if there is no cache. */
int layout_load(const char *cache_dir, json_t **index, struct err *e);
/* The name of an entry of its manifests; NULL: it has none. */
const char *layout_entry_name(const json_t *entry);

/*
 * What an entry goes by where entries are removed: its name, or "@DIGEST" if it has none, as what refers to an image
 * may (OCI's referrers).
 */
bool layout_entry_is(const json_t *entry, const char *key);

/* The name of the entry that layout_find() takes for a name, which may lack ":latest"; NULL: none. */
const char *layout_stored_name(const json_t *index, const char *ref);

/*
 * What an entry refers to; the message names the entry. -ENODATA: it has no digest, and so refers to nothing. Others
 * may write into an index what we cannot read; that is no reason not to use the rest.
 */
int layout_entry(const json_t *entry, struct blob_desc *out, struct err *e);

/*
 * Takes the names, or what layout_entry_is(), away; -ENOENT: the first that is not there, and nothing is changed. Waits
 * as layout_name().
 */
int layout_unname(const char *cache_dir, const char *const *refs, size_t refs_len, struct err *e);

#endif
