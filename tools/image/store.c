/* SPDX-License-Identifier: Apache-2.0 */
/* Writes an image's configuration, manifest and one-platform index, and names it. */
#include <errno.h>
#include <string.h>

#include "lib/json.h"
#include "tools/image/image.h"
#include "tools/image/layout.h"

#define MEDIA_CONFIG "application/vnd.oci.image.config.v1+json"
#define MEDIA_MANIFEST "application/vnd.oci.image.manifest.v1+json"
#define MEDIA_INDEX "application/vnd.oci.image.index.v1+json"
#define MEDIA_LAYER "application/vnd.oci.image.layer.v1.tar+zstd"

static int store(const char *cache_dir, const char *media_type, const json_t *doc, struct blob_desc *out,
                 struct err *e) {
    (void)snprintf(out->media_type, sizeof(out->media_type), "%s", media_type);
    return blob_store_json(cache_dir, doc, out, e);
}

static json_t *descriptor(const struct blob_desc *desc) {
    return json_pack("{s:s, s:s, s:I}", "mediaType", desc->media_type, "digest", desc->digest, "size",
                     (json_int_t)desc->size);
}

static int store_config(const char *cache_dir, const char *arch, const json_t *config, const struct layer_desc *layers,
                        size_t layers_len, struct blob_desc *out, struct err *e) {
    AUTO_JSON json_t *doc = json_copy((json_t *)(uintptr_t)config);
    AUTO_JSON json_t *diff_ids = json_array();

    for (size_t i = 0; i < layers_len; i++)
        if (json_array_append_new(diff_ids, json_string(layers[i].diff_id)) < 0)
            return err_errno(e, -ENOMEM, "could not write the image configuration");
    if (json_object_set_new(doc, "architecture", json_string(arch)) < 0 ||
        json_object_set_new(doc, "os", json_string("linux")) < 0 ||
        json_object_set_new(doc, "rootfs", json_pack("{s:s, s:O}", "type", "layers", "diff_ids", diff_ids)) < 0)
        return err_errno(e, -ENOMEM, "could not write the image configuration");
    return store(cache_dir, MEDIA_CONFIG, doc, out, e);
}

static int store_manifest(const char *cache_dir, const struct blob_desc *config, const struct layer_desc *layers,
                          size_t layers_len, struct blob_desc *out, struct err *e) {
    AUTO_JSON json_t *list = json_array();

    for (size_t i = 0; i < layers_len; i++) {
        struct blob_desc desc = {.media_type = MEDIA_LAYER, .size = layers[i].size};
        memcpy(desc.digest, layers[i].digest, sizeof(desc.digest));
        if (json_array_append_new(list, descriptor(&desc)) < 0)
            return err_errno(e, -ENOMEM, "could not write the manifest");
    }
    AUTO_JSON json_t *doc = json_pack("{s:i, s:s, s:o, s:O}", "schemaVersion", 2, "mediaType", MEDIA_MANIFEST, "config",
                                      descriptor(config), "layers", list);
    if (!doc)
        return err_errno(e, -ENOMEM, "could not write the manifest");
    return store(cache_dir, MEDIA_MANIFEST, doc, out, e);
}

static int store_index(const char *cache_dir, const char *arch, const struct blob_desc *manifest, struct blob_desc *out,
                       struct err *e) {
    json_t *entry = descriptor(manifest);

    if (json_object_set_new(entry, "platform", json_pack("{s:s, s:s}", "os", "linux", "architecture", arch)) < 0) {
        json_decref(entry);
        return err_errno(e, -ENOMEM, "could not write the index");
    }
    AUTO_JSON json_t *doc =
        json_pack("{s:i, s:s, s:[o]}", "schemaVersion", 2, "mediaType", MEDIA_INDEX, "manifests", entry);
    if (!doc)
        return err_errno(e, -ENOMEM, "could not write the index");
    return store(cache_dir, MEDIA_INDEX, doc, out, e);
}

static int name_it(const char *cache_dir, const struct blob_desc *index, const char *const *refs, size_t refs_len,
                   struct err *e) {
    char **full = calloc(refs_len + 1, sizeof(*full));
    int r = full ? 0 : err_errno(e, -ENOMEM, "could not name the image");

    for (size_t i = 0; i < refs_len && !r; i++)
        r = image_ref_normalize(refs[i], &full[i], e);
    if (!r)
        r = layout_name(cache_dir, index, (const char *const *)full, refs_len, e);
    for (size_t i = 0; full && i < refs_len; i++)
        free(full[i]);
    free(full);
    return r;
}

int image_store(const char *cache_dir, const char *arch, json_t *config, const struct layer_desc *layers,
                size_t layers_len, const char *const *refs, size_t refs_len, char *digest_out, struct err *e) {
    struct blob_desc config_desc = {0}, manifest = {0}, index = {0};
    int r = store_config(cache_dir, arch, config, layers, layers_len, &config_desc, e);

    if (!r)
        r = store_manifest(cache_dir, &config_desc, layers, layers_len, &manifest, e);
    if (!r)
        r = store_index(cache_dir, arch, &manifest, &index, e);
    if (!r)
        r = name_it(cache_dir, &index, refs, refs_len, e);
    if (!r)
        memcpy(digest_out, index.digest, sizeof(index.digest));
    return r;
}
