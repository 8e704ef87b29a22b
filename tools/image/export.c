/* SPDX-License-Identifier: Apache-2.0 */
/* An image as an OCI layout: its index, the manifests of the wanted platforms, and every blob that they name. */
#include <errno.h>
#include <string.h>

#include "lib/json.h"
#include "tools/image/content.h"
#include "tools/image/image_priv.h"
#include "tools/image/layout.h"

#define INDEX_DEPTH_MAX 4

struct export {
    const char *cache_dir, *ref;
    struct blob_desc root;
    const json_t *platforms; /* NULL or empty: all */
    json_t *written;         /* digests: a set */
    unsigned manifests;
    entry_fn *fn;
    void *data;
};

static int add_file(struct export *x, const char *path, struct content_source *source, uint64_t size, struct err *e) {
    const struct entry_content content = {.read = content_read, .ctx = source};
    const struct entry entry = {.type = ENTRY_FILE, .path = path, .mode = 0644, .size = size};

    return x->fn(x->data, &entry, &content, e);
}

static int add_text(struct export *x, const char *path, const char *text, struct err *e) {
    struct content_source source = content_text(path, text, strlen(text));

    return add_file(x, path, &source, strlen(text), e);
}

static int add_directory(struct export *x, const char *path, struct err *e) {
    const struct entry entry = {.type = ENTRY_DIR, .path = path, .mode = 0755};

    return x->fn(x->data, &entry, NULL, e);
}

struct blob_content {
    struct blob_reader reader;
    const char *data;
    size_t left;
};

/* The last bytes are not given before the digest was compared. */
static ssize_t read_blob(void *ctx, void *data, size_t len, struct err *e) {
    struct blob_content *b = ctx;
    const void *chunk;

    if (!b->left) {
        ssize_t n = blob_reader_read(&b->reader, &chunk, e);
        if (n <= 0)
            return n;
        b->data = chunk;
        b->left = (size_t)n;
        int r = b->reader.seen == b->reader.desc.size ? blob_reader_end(&b->reader, e) : 0;
        if (r < 0)
            return r;
    }
    size_t n = len < b->left ? len : b->left;
    memcpy(data, b->data, n);
    b->data += n;
    b->left -= n;
    return (ssize_t)n;
}

static int add_blob(struct export *x, const struct blob_desc *desc, struct err *e) {
    AUTO_FREE struct blob_content *b = calloc(1, sizeof(*b));
    const struct entry_content content = {.read = read_blob, .ctx = b};
    char path[128];

    if (json_object_get(x->written, desc->digest))
        return 0;
    if (!b || json_object_set_new(x->written, desc->digest, json_true()) < 0)
        return err_errno(e, -ENOMEM, "could not copy blob %s", desc->digest);
    (void)snprintf(path, sizeof(path), "blobs/sha256/%s", desc->digest + 7);
    const struct entry entry = {.type = ENTRY_FILE, .path = path, .mode = 0644, .size = desc->size};
    int r = blob_reader_open(&b->reader, x->cache_dir, desc, e);
    if (!r)
        r = x->fn(x->data, &entry, &content, e);
    blob_reader_close(&b->reader);
    return r;
}

/* linux/arm64 or linux/arm/v7; without variant, any. */
static bool wanted(const struct export *x, const json_t *platform) {
    const json_t *item;
    size_t i;

    if (!json_array_size(x->platforms))
        return true;
    const char *os = json_string_value(json_object_get(platform, "os"));
    const char *arch = json_string_value(json_object_get(platform, "architecture"));
    const char *variant = json_string_value(json_object_get(platform, "variant"));
    AUTO_JSON json_t *both = json_sprintf("%s/%s", os ? os : "", arch ? arch : "");
    AUTO_JSON json_t *all = json_sprintf("%s/%s/%s", os ? os : "", arch ? arch : "", variant ? variant : "");
    json_array_foreach(x->platforms, i, item) {
        const char *want = json_string_value(item);
        if (want && (!strcmp(want, json_string_value(both)) || !strcmp(want, json_string_value(all))))
            return true;
    }
    return false;
}

static int add_image(struct export *x, const struct blob_desc *desc, const json_t *manifest, struct err *e) {
    json_t *config = NULL, *layers = NULL;
    struct blob_desc blob;
    int r = json_get_object(manifest, "$", "config", true, &config, e);

    if (!r)
        r = json_get_array(manifest, "$", "layers", true, &layers, e);
    if (!r)
        r = blob_desc_parse(config, "$.config", &blob, e);
    for (size_t i = 0; !r && i < json_array_size(layers); i++) {
        r = add_blob(x, &blob, e);
        if (!r)
            r = blob_desc_parse(json_array_get(layers, i), "$.layers[]", &blob, e);
    }
    if (!r)
        r = add_blob(x, &blob, e);
    x->manifests++;
    return r ? r : add_blob(x, desc, e);
}

static int add_manifest(struct export *x, const struct blob_desc *desc, unsigned depth, struct err *e) {
    AUTO_JSON json_t *doc = NULL;
    const json_t *entry, *manifests;
    size_t i;

    if (depth > INDEX_DEPTH_MAX)
        return err_set(e, -ELOOP, "image %s: its indexes are nested too deeply", x->ref);
    int r = blob_load_json(x->cache_dir, desc, &doc, e);
    if (r < 0)
        return r;
    manifests = json_object_get(doc, "manifests");
    if (!json_is_array(manifests))
        return add_image(x, desc, doc, e);
    json_array_foreach(manifests, i, entry) {
        struct blob_desc child;
        if (!wanted(x, json_object_get(entry, "platform")))
            continue;
        r = blob_desc_parse(entry, "$.manifests[]", &child, e);
        if (!r)
            r = add_manifest(x, &child, depth + 1, e);
        if (r < 0)
            return r;
    }
    return add_blob(x, desc, e);
}

static int add_index(struct export *x, const struct blob_desc *desc, struct err *e) {
    AUTO_JSON json_t *index =
        json_pack("{s:i, s:[{s:s, s:I, s:s, s:{s:s}}]}", "schemaVersion", 2, "manifests", "mediaType", desc->media_type,
                  "size", (json_int_t)desc->size, "digest", desc->digest, "annotations", REF_NAME, x->ref);
    AUTO_FREE char *text = index ? json_dumps(index, JSON_INDENT(2)) : NULL;

    return text ? add_text(x, "index.json", text, e) : err_errno(e, -ENOMEM, "could not write the index of %s", x->ref);
}

static int export(struct export *x, struct err *e) {
    int r = add_text(x, "oci-layout", "{\"imageLayoutVersion\": \"1.0.0\"}\n", e);
    if (!r)
        r = add_directory(x, "blobs", e);
    if (!r)
        r = add_directory(x, "blobs/sha256", e);
    if (!r)
        r = add_manifest(x, &x->root, 0, e);
    if (!r && !x->manifests)
        r = err_set(e, -EINVAL, "image %s has none of the platforms", x->ref);
    return r ? r : add_index(x, &x->root, e);
}

int image_walk_layout(const char *cache_dir, const char *ref, const struct blob_desc *root, const json_t *platforms,
                      entry_fn *fn, void *data, struct err *e) {
    AUTO_FREE char *full = NULL;
    AUTO_JSON json_t *written = json_object();
    struct export x = {.cache_dir = cache_dir, .platforms = platforms, .written = written, .fn = fn, .data = data};
    int r = written ? image_ref_normalize(ref, &full, e) : err_errno(e, -ENOMEM, "could not read image %s", ref);

    x.ref = full;
    if (!r && root)
        x.root = *root;
    else if (!r)
        r = layout_find(cache_dir, full, &x.root, e);
    return r ? r : export(&x, e);
}
