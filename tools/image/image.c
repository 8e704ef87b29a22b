/* SPDX-License-Identifier: Apache-2.0 */
/* From a reference to a platform's manifest, its configuration and its layers. */
#include "tools/image/image.h"

#include <errno.h>
#include <string.h>

#include "lib/json.h"
#include "tools/image/image_priv.h"
#include "tools/image/layout.h"

#define INDEX_DEPTH_MAX 4
#define LAYERS_MAX 512
#define ATTESTATION_OF "vnd.docker.reference.digest"
#define PREDICATE_TYPE "in-toto.io/predicate-type"

static bool is_index(const struct blob_desc *desc, const json_t *doc) {
    return !strcmp(desc->media_type, "application/vnd.oci.image.index.v1+json") ||
           !strcmp(desc->media_type, "application/vnd.docker.distribution.manifest.list.v2+json") ||
           json_is_array(json_object_get(doc, "manifests"));
}

static int pick_platform(const json_t *index, const char *arch, const char *ref, struct blob_desc *out, struct err *e) {
    json_t *manifests = NULL;
    const json_t *entry;
    size_t i;

    int r = json_get_array(index, "$", "manifests", true, &manifests, e);
    if (r < 0)
        return r;
    json_array_foreach(manifests, i, entry) {
        const json_t *platform = json_object_get(entry, "platform");
        const char *os = json_string_value(json_object_get(platform, "os"));
        const char *cpu = json_string_value(json_object_get(platform, "architecture"));
        if (os && cpu && !strcmp(os, "linux") && !strcmp(cpu, arch))
            return blob_desc_parse(entry, "$.manifests[]", out, e);
    }
    return err_set(e, -ENOENT, "image %s has no variant for linux/%s", ref, arch);
}

static int keep_attestations(struct image *img, const json_t *index, const char *digest, struct err *e) {
    json_t *list = json_array(), *entry;
    size_t i;
    int r = list ? 0 : -1;

    json_array_foreach(json_object_get(index, "manifests"), i, entry) {
        const char *of = json_string_value(json_object_get(json_object_get(entry, "annotations"), ATTESTATION_OF));
        if (!r && of && !strcmp(of, digest))
            r = json_array_append(list, entry);
    }
    json_decref(img->attestations);
    img->attestations = list;
    return r < 0 ? err_errno(e, -ENOMEM, "could not hold what is attested of image %s", img->ref) : 0;
}

/* Follows indexes down to the platform's manifest; *manifest is a new reference. */
static int find_manifest(struct image *img, const char *arch, struct blob_desc *desc, json_t **manifest,
                         struct err *e) {
    for (int depth = 0; depth < INDEX_DEPTH_MAX; depth++) {
        AUTO_JSON json_t *doc = NULL;
        int r = blob_load_json(img->cache_dir, desc, &doc, e);
        if (r < 0)
            return r;
        if (!is_index(desc, doc)) {
            *manifest = steal_ptr(&doc);
            return 0;
        }
        r = pick_platform(doc, arch, img->ref, desc, e);
        if (!r)
            r = keep_attestations(img, doc, desc->digest, e);
        if (r < 0)
            return r;
    }
    return err_set(e, -ELOOP, "image %s: its indexes are nested too deeply", img->ref);
}

static int read_manifest(struct image *img, const json_t *manifest, struct err *e) {
    json_t *config = NULL, *layers = NULL;
    struct blob_desc config_desc;
    int r = json_get_object(manifest, "$", "config", true, &config, e);

    if (!r)
        r = json_get_array(manifest, "$", "layers", true, &layers, e);
    if (!r)
        r = blob_desc_parse(config, "$.config", &config_desc, e);
    if (!r)
        r = blob_load_json(img->cache_dir, &config_desc, &img->config, e);
    if (r < 0)
        return r;
    img->layers_len = json_array_size(layers);
    if (img->layers_len > LAYERS_MAX)
        return err_set(e, -E2BIG, "it has %zu layers, more than %d", img->layers_len, LAYERS_MAX);
    img->layers = calloc(img->layers_len + 1, sizeof(*img->layers));
    if (!img->layers)
        return err_errno(e, -ENOMEM, "could not read its layers");
    for (size_t i = 0; i < img->layers_len && !r; i++)
        r = blob_desc_parse(json_array_get(layers, i), "$.layers[]", &img->layers[i], e);
    return r;
}

int image_platform_check(const json_t *config, const char *arch, struct err *e) {
    const char *os = json_string_value(json_object_get(config, "os"));
    const char *cpu = json_string_value(json_object_get(config, "architecture"));
    size_t len = cpu ? strlen(cpu) : 0;
    bool is_linux = !os || !*os || !strcmp(os, "linux");

    if (is_linux && (!len || (!strncmp(arch, cpu, len) && (!arch[len] || arch[len] == '/'))))
        return 0;
    return err_set(e, -ENODATA, "it is for %s/%s, not for linux/%s", is_linux ? "linux" : os, len ? cpu : "?", arch);
}

int image_open(const char *cache_dir, const char *ref, const char *arch, struct image **out, struct err *e) {
    return image_open_root(cache_dir, ref, NULL, arch, out, e);
}

int image_open_root(const char *cache_dir, const char *ref, const struct blob_desc *root, const char *arch,
                    struct image **out, struct err *e) {
    AUTO_IMAGE struct image *img = calloc(1, sizeof(*img));
    AUTO_JSON json_t *manifest = NULL;
    struct blob_desc desc = {0};

    if (!img || !(img->cache_dir = strdup(cache_dir)))
        return err_errno(e, -ENOMEM, "could not open image %s", ref);
    int r = image_ref_normalize(ref, &img->ref, e);
    if (!r && root)
        desc = *root;
    else if (!r)
        r = layout_find(cache_dir, img->ref, &desc, e);
    if (!r)
        r = find_manifest(img, arch, &desc, &manifest, e);
    if (r < 0)
        return r;
    (void)snprintf(img->digest, sizeof(img->digest), "%s", desc.digest);
    r = read_manifest(img, manifest, e);
    if (!r && !img->attestations)
        r = image_platform_check(img->config, arch, e);
    if (r < 0)
        return err_wrap(e, r, "image %s", img->ref);
    *out = steal_ptr(&img);
    return 0;
}

void image_close(struct image *img) {
    if (!img)
        return;
    free(img->cache_dir);
    free(img->ref);
    free(img->layers);
    json_decref(img->config);
    json_decref(img->attestations);
    free(img);
}

const char *image_ref(const struct image *img) {
    return img->ref;
}

const char *image_digest(const struct image *img) {
    return img->digest;
}

const char *image_layer(const struct image *img, size_t i) {
    return i < img->layers_len ? img->layers[i].digest : NULL;
}

const json_t *image_config(const struct image *img) {
    return img->config;
}

static int add_statements(const struct image *img, const json_t *manifest, const char *predicate_type, json_t *out,
                          struct err *e) {
    AUTO_JSON json_t *doc = NULL;
    json_t *layer;
    struct blob_desc desc;
    size_t i;
    int r = blob_desc_parse(manifest, "$.manifests[]", &desc, e);

    if (r < 0 || !blob_exists(img->cache_dir, &desc))
        return r;
    r = blob_load_json(img->cache_dir, &desc, &doc, e);
    json_array_foreach(json_object_get(doc, "layers"), i, layer) {
        const char *type = json_string_value(json_object_get(json_object_get(layer, "annotations"), PREDICATE_TYPE));
        if (r || !type || strcmp(type, predicate_type) != 0)
            continue;
        r = blob_desc_parse(layer, "$.layers[]", &desc, e);
        if (!r && blob_exists(img->cache_dir, &desc) && json_array_append(out, layer) < 0)
            r = err_errno(e, -ENOMEM, "could not list them");
    }
    return r;
}

int image_attestations(const struct image *img, const char *predicate_type, json_t **out, struct err *e) {
    AUTO_JSON json_t *list = json_array();
    const json_t *manifest;
    size_t i;
    int r = list ? 0 : err_errno(e, -ENOMEM, "could not list them");

    json_array_foreach(img->attestations, i, manifest) {
        if (!r)
            r = add_statements(img, manifest, predicate_type, list, e);
    }
    if (r < 0)
        return err_wrap(e, r, "what is attested of image %s", img->ref);
    *out = steal_ptr(&list);
    return 0;
}
