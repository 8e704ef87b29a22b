/* SPDX-License-Identifier: Apache-2.0 */
/* What `docker save` writes: manifest.json lists a configuration, layers and names; there is no OCI manifest. */
#include <errno.h>
#include <string.h>

#include "lib/json.h"
#include "tools/cache/cache_priv.h"
#include "tools/image/tar.h"

static const struct import_file *find(const struct import *im, const char *path, struct err *e) {
    char clean[ENTRY_PATH_MAX];
    const struct import_file *f = NULL;

    if (!path || entry_path_clean(path, clean, sizeof(clean), e) < 0 || !(f = import_find(im, clean)))
        (void)err_set(e, -EBADMSG, "it lacks \"%.200s\", which its manifest.json names", path ? path : "");
    return f;
}

static json_t *descriptor(const struct import_file *f, const char *media_type) {
    return json_pack("{s:s, s:s, s:I}", "mediaType", media_type, "digest", f->desc.digest, "size",
                     (json_int_t)f->desc.size);
}

static int add_layers(const struct import *im, const json_t *image, json_t *layers, struct err *e) {
    const json_t *layer;
    size_t i;

    json_array_foreach(json_object_get(image, "Layers"), i, layer) {
        const struct import_file *f = find(im, json_string_value(layer), e);
        if (!f)
            return -EBADMSG;
        const char *type = f->gzip   ? "application/vnd.oci.image.layer.v1.tar+gzip"
                           : f->zstd ? "application/vnd.oci.image.layer.v1.tar+zstd"
                                     : "application/vnd.oci.image.layer.v1.tar";
        if (json_array_append_new(layers, descriptor(f, type)) < 0)
            return err_errno(e, -ENOMEM, "could not write its manifest");
    }
    return 0;
}

static int make_manifest(const struct import *im, const json_t *image, struct blob_desc *out, struct err *e) {
    AUTO_JSON json_t *layers = json_array();
    const struct import_file *config = find(im, json_string_value(json_object_get(image, "Config")), e);
    int r = config ? add_layers(im, image, layers, e) : -EBADMSG;

    if (r < 0)
        return r;
    AUTO_JSON json_t *doc =
        json_pack("{s:i, s:s, s:o, s:O}", "schemaVersion", 2, "mediaType", "application/vnd.oci.image.manifest.v1+json",
                  "config", descriptor(config, "application/vnd.oci.image.config.v1+json"), "layers", layers);
    if (!doc)
        return err_errno(e, -ENOMEM, "could not write its manifest");
    (void)snprintf(out->media_type, sizeof(out->media_type), "application/vnd.oci.image.manifest.v1+json");
    return blob_store_json(im->cache_dir, doc, out, e);
}

static int import_one(struct import *im, const json_t *image, struct err *e) {
    const json_t *tags = json_object_get(image, "RepoTags"), *tag;
    struct blob_desc desc;
    size_t i;
    int r = make_manifest(im, image, &desc, e);

    if (r < 0)
        return r;
    if (im->name)
        return import_name(im, &desc, im->name, e);
    if (json_array_size(tags) == 0)
        return err_set(e, -EINVAL, "it does not name its image %s: give it one with --name", desc.digest);
    json_array_foreach(tags, i, tag) {
        if (!r)
            r = json_is_string(tag) ? import_name(im, &desc, json_string_value(tag), e)
                                    : err_set(e, -EINVAL, "a name in its manifest.json is not a string");
    }
    return r;
}

int import_docker(struct import *im, const json_t *list, struct err *e) {
    const json_t *image;
    size_t i;
    int r = 0;

    if (json_array_size(list) == 0)
        return err_set(e, -EINVAL, "its manifest.json lists no images");
    if (im->name && json_array_size(list) > 1)
        return err_set(e, -EINVAL, "it has %zu images, and --name is for one", json_array_size(list));
    json_array_foreach(list, i, image) {
        if (!r)
            r = import_one(im, image, e);
    }
    return r;
}
