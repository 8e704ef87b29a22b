/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OCI images in an OCI layout cache (image-spec v1.1: oci-layout, index.json, blobs/sha256/...). Docker's media types
 * are read too. Every blob that is read to its end is checked against its digest and size.
 */
#ifndef TOOLS_IMAGE_IMAGE_H
#define TOOLS_IMAGE_IMAGE_H

#include <jansson.h>

#include "tools/image/entry.h"

struct image;

/* Full form of a reference as Docker writes it: "alpine" -> "docker.io/library/alpine:latest"; malloc'd in *out. */
int image_ref_normalize(const char *ref, char **out, struct err *e);

/* --cache, else KEELSON_CACHE, else LINUXKIT_CACHE, else ~/.cache/keelson; malloc'd in *out. */
int image_cache_dir(const char *option, char **out, struct err *e);

/* This machine's architecture as OCI calls it: "amd64", "arm64". */
const char *image_host_arch(void);

/*
 * Opens `ref` (any form) for "linux/ARCH" (arch as in OCI: amd64, arm64). -ENOENT: not in the cache. -ENODATA: it has
 * no index, and is of another platform.
 */
int image_open(const char *cache_dir, const char *ref, const char *arch, struct image **out, struct err *e);
struct blob_desc;
/* The same; `root`, unless NULL, is its index or manifest: what has the name by now does not matter. */
int image_open_root(const char *cache_dir, const char *ref, const struct blob_desc *root, const char *arch,
                    struct image **out, struct err *e);
/* An image without an index tells its platform in its configuration, if anywhere. -ENODATA: it is another one. */
int image_platform_check(const json_t *config, const char *arch, struct err *e);
void image_close(struct image *img);
DEFINE_AUTO(struct image *, image_close)
#define AUTO_IMAGE AUTO(image_close_auto)

const char *image_ref(const struct image *img);      /* normalized reference */
const char *image_digest(const struct image *img);   /* of the platform's manifest, "sha256:..." */
const json_t *image_config(const struct image *img); /* the OCI image configuration document, borrowed */
/* Digest of the i-th layer's blob, 0 the bottom one; NULL: it has no more. */
const char *image_layer(const struct image *img, size_t i);

/* Label of images that keelson made: a JSON list of what each layer is of, bottom first, NAME=VERSION for a Debian
 * package, else the recipe's ORG/NAME. */
#define LABEL_LAYERS "org.keelson.layers"

/*
 * What is attested of the image beside it in its index, as BuildKit does: a new array, mostly empty, of descriptors of
 * the in-toto statements of that type, such as "https://spdx.dev/Document". What the cache lacks is not among them.
 */
int image_attestations(const struct image *img, const char *predicate_type, json_t **out, struct err *e);

/*
 * The image's root as one tree: layers merged, whiteouts and opaque directories applied; parents come before children
 * (a missing parent directory is made up: 0755, root), hard links after their target. Deterministic order. Memory is
 * bounded by the number of entries, not by their contents. Errors name image and layer.
 */
int image_walk(const struct image *img, entry_fn *fn, void *data, struct err *e);
/* The same, and besides: */
struct image_walk_also {
    const char *const *alone; /* NULL, or paths up to a NULL. What stands there and has other names, too, only has those
                                 others: so the contents come with one of them. */
    entry_fn *look;           /* NULL, or what gets every entry of every layer as it is, before fn gets the first */
};
int image_walk_with(const struct image *img, const struct image_walk_also *also, entry_fn *fn, void *data,
                    struct err *e);

/*
 * The image as an OCI layout (oci-layout, index.json, blobs/sha256/...): the index as it is, and of its manifests those
 * of the platforms, a list of strings such as "linux/arm64" or "linux/arm/v7" (NULL or empty: all). -EINVAL: there is
 * none of them. Every blob is checked before its last bytes are given. root: as image_open_root()'s.
 */
int image_walk_layout(const char *cache_dir, const char *ref, const struct blob_desc *root, const json_t *platforms,
                      entry_fn *fn, void *data, struct err *e);

/* --- writing --- */

struct layer_writer; /* one gzip or zstd tar layer, deterministic for the same sequence of entries */
int layer_writer_new(const char *cache_dir, struct layer_writer **out, struct err *e);
int layer_writer_add(struct layer_writer *w, const struct entry *entry, const struct entry_content *content,
                     struct err *e);
/* Ends the layer and stores the blob. w is freed in any case. */
struct layer_desc {
    char digest[80];  /* of the compressed blob */
    char diff_id[80]; /* of the tar */
    uint64_t size;    /* compressed bytes */
};
int layer_writer_finish(struct layer_writer *w, struct layer_desc *desc, struct err *e);
void layer_writer_abort(struct layer_writer *w);

/*
 * Stores config (an OCI image configuration without rootfs, which is added) and a manifest behind a one-platform
 * index, and gives it every name of refs (normalized here; an older holder of the name loses it). index.json is
 * replaced under a lock, by rename. digest_out gets the index's digest ("sha256:...", at least 80 bytes).
 */
int image_store(const char *cache_dir, const char *arch, json_t *config, const struct layer_desc *layers,
                size_t layers_len, const char *const *refs, size_t refs_len, char *digest_out, struct err *e);

#endif
