/* SPDX-License-Identifier: Apache-2.0 */
/* What `docker save` writes: manifest.json lists a configuration, layers and names; there is no OCI manifest. */
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "lib/fdutil.h"
#include "lib/json.h"
#include "tools/cache/cache_priv.h"
#include "tools/image/tar.h"

#define CHUNK ((size_t)128 << 10)

static const struct import_file *find(const struct import *im, const char *path, struct err *e) {
    char clean[ENTRY_PATH_MAX];
    const struct import_file *f = NULL;

    if (!path || entry_path_clean(path, clean, sizeof(clean), e) < 0 || !(f = import_find(im, clean)))
        (void)err_set(e, -EBADMSG, "it lacks \"%.200s\", which its manifest.json names", path ? path : "");
    return f;
}

static int hash_unpacked(struct archive *a, int fd, char *digest, struct err *e) {
    AUTO_FREE char *chunk = malloc(CHUNK);
    EVP_MD_CTX *hash = digest_new();
    struct archive_entry *entry;
    ssize_t n = -1;

    if (chunk && hash && archive_read_support_filter_all(a) >= ARCHIVE_WARN &&
        archive_read_support_format_raw(a) == ARCHIVE_OK && archive_read_support_format_empty(a) == ARCHIVE_OK &&
        archive_read_open_fd(a, fd, CHUNK) == ARCHIVE_OK)
        n = archive_read_next_header(a, &entry);
    if (n == ARCHIVE_EOF) /* there is nothing in it, which is a layer, too */
        n = 0;
    else if (n == ARCHIVE_OK)
        while ((n = archive_read_data(a, chunk, CHUNK)) > 0 && EVP_DigestUpdate(hash, chunk, (size_t)n) == 1)
            ;
    int r = n == 0 ? digest_final(hash, digest, e)
                   : err_set(e, -EBADMSG, "a layer cannot be unpacked: %s",
                             archive_error_string(a) ? archive_error_string(a) : "out of memory");
    EVP_MD_CTX_free(hash);
    return r;
}

/* Of a layer as its configuration knows it: unpacked. */
static int diff_id(const struct import *im, const struct import_file *f, char *digest, struct err *e) {
    if (!f->gzip && !f->zstd) {
        memcpy(digest, f->desc.digest, sizeof(f->desc.digest));
        return 0;
    }
    AUTO_FREE char *path = blob_path(im->cache_dir, f->desc.digest);
    AUTO_CLOSE int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0)
        return err_errno(e, path ? -errno : -ENOMEM, "could not read a layer");
    struct archive *a = archive_read_new();
    int r = a ? hash_unpacked(a, fd, digest, e) : err_errno(e, -ENOMEM, "could not read a layer");
    (void)archive_read_free(a);
    return r;
}

/* There are no other digests in such an archive: the configuration's say whether its layers are what they were. */
static int check_layers(const struct import *im, const struct import_file *config, const json_t *names, struct err *e) {
    AUTO_JSON json_t *doc = NULL;
    char digest[sizeof(config->desc.digest)];
    int r = blob_load_json(im->cache_dir, &config->desc, &doc, e);
    const json_t *ids = json_object_get(json_object_get(doc, "rootfs"), "diff_ids");

    if (!r && json_array_size(ids) != json_array_size(names))
        r = err_set(e, -EBADMSG, "its manifest.json names %zu layers, and its configuration %zu",
                    json_array_size(names), json_array_size(ids));
    for (size_t i = 0; i < json_array_size(names) && !r; i++) {
        const char *name = json_string_value(json_array_get(names, i));
        const char *expected = json_string_value(json_array_get(ids, i));
        const struct import_file *f = find(im, name, e);
        r = f ? diff_id(im, f, digest, e) : -EBADMSG;
        if (!r && (!expected || strcmp(digest, expected) != 0))
            r = err_set(e, -EBADMSG, "its layer \"%.200s\" has digest %s instead of %.80s", name, digest,
                        expected ? expected : "one in its configuration");
    }
    return r;
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
    int r = config ? check_layers(im, config, json_object_get(image, "Layers"), e) : -EBADMSG;

    if (!r)
        r = add_layers(im, image, layers, e);

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
