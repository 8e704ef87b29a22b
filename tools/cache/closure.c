/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/cache/closure.h"

#include <errno.h>
#include <string.h>

#include "lib/array.h"
#include "lib/json.h"
#include "tools/image/image.h"

#define INDEX_DEPTH_MAX 4
#define ATTESTATION_OF "vnd.docker.reference.digest"

static const char *text_at(const json_t *entry, const char *object, const char *key) {
    return json_string_value(json_object_get(json_object_get(entry, object), key));
}

/* arch: "arm64", or with a variant "arm/v7"; without one, any variant will do. */
static bool is_platform(const json_t *entry, const char *arch) {
    const char *os = text_at(entry, "platform", "os"), *cpu = text_at(entry, "platform", "architecture");
    const char *variant = text_at(entry, "platform", "variant");
    size_t len = cpu ? strlen(cpu) : 0;

    if (!os || !cpu || strcmp(os, "linux") != 0 || strncmp(arch, cpu, len) != 0)
        return false;
    return !arch[len] || (arch[len] == '/' && variant && !strcmp(arch + len + 1, variant));
}

const json_t *index_platform(const json_t *index, const char *arch) {
    const json_t *entry;
    size_t i;

    json_array_foreach(json_object_get(index, "manifests"), i, entry) {
        if (is_platform(entry, arch))
            return entry;
    }
    return NULL;
}

bool index_wants(const json_t *index, const json_t *entry, const char *arch) {
    const char *of = text_at(entry, "annotations", ATTESTATION_OF);
    const json_t *other;
    size_t i;

    if (!arch || is_platform(entry, arch))
        return true;
    json_array_foreach(json_object_get(index, "manifests"), i, other) {
        const char *digest = json_string_value(json_object_get(other, "digest"));
        if (of && digest && is_platform(other, arch) && !strcmp(of, digest))
            return true;
    }
    return false;
}

const char *index_platforms(const json_t *index, char *out, size_t len) {
    const json_t *entry;
    size_t i, used = 0;

    *out = '\0';
    json_array_foreach(json_object_get(index, "manifests"), i, entry) {
        const char *os = text_at(entry, "platform", "os"), *cpu = text_at(entry, "platform", "architecture");
        if (!os || !cpu || !strcmp(os, "unknown"))
            continue;
        int n = snprintf(out + used, len - used, "%s%s/%s", used ? ", " : "", os, cpu);
        if (n < 0 || (size_t)n >= len - used)
            break;
        used += (size_t)n;
    }
    return out;
}

int index_lacks(const json_t *index, const char *arch, int code, struct err *e) {
    char platforms[256];
    const char *list = index_platforms(index, platforms, sizeof(platforms));

    return err_set(e, code, "it has no variant for linux/%s%s%s", arch,
                   *list                                                  ? ", only for "
                   : json_array_size(json_object_get(index, "manifests")) ? ": its index names no platforms"
                                                                          : ": its index is empty",
                   list);
}

/* *item: the new one; NULL: it was there already. */
static int add(struct closure *c, const char *cache_dir, const struct blob_desc *desc, bool manifest,
               struct closure_item **item, struct err *e) {
    *item = NULL;
    for (size_t i = 0; i < c->len; i++)
        if (!strcmp(c->v[i].desc.digest, desc->digest))
            return 0;
    if (ARRAY_ROOM(c->v, c->len, c->cap) < 0)
        return err_errno(e, -ENOMEM, "could not list blobs");
    *item = &c->v[c->len++];
    **item = (struct closure_item){.desc = *desc, .manifest = manifest, .there = blob_exists(cache_dir, desc)};
    if (!(*item)->there) {
        c->missing++;
        memcpy(c->example, desc->digest, sizeof(c->example));
    }
    return 0;
}

static int add_plain(struct closure *c, const char *cache_dir, const json_t *obj, const char *where, struct err *e) {
    struct closure_item *item;
    struct blob_desc desc;
    int r = blob_desc_parse(obj, where, &desc, e);

    return r < 0 ? r : add(c, cache_dir, &desc, false, &item, e);
}

int manifest_platform_check(const char *cache_dir, const json_t *manifest, const char *arch, struct err *e) {
    AUTO_JSON json_t *config = NULL;
    struct blob_desc desc;
    int r = blob_desc_parse(json_object_get(manifest, "config"), "$.config", &desc, e);

    if (r < 0 || !blob_exists(cache_dir, &desc))
        return r;
    r = blob_load_json(cache_dir, &desc, &config, e);
    return r < 0 ? r : image_platform_check(config, arch, e);
}

static int add_manifest(struct closure *c, const char *cache_dir, const json_t *doc, const char *arch, struct err *e) {
    const json_t *layer;
    size_t i;
    int r = arch ? manifest_platform_check(cache_dir, doc, arch, e) : 0;

    if (!r)
        r = add_plain(c, cache_dir, json_object_get(doc, "config"), "$.config", e);

    json_array_foreach(json_object_get(doc, "layers"), i, layer) {
        if (!r)
            r = add_plain(c, cache_dir, layer, "$.layers[]", e);
    }
    return r;
}

static int add_document(struct closure *c, const char *cache_dir, const struct blob_desc *desc, const char *arch,
                        int depth, struct err *e);

static int add_index(struct closure *c, const char *cache_dir, const json_t *doc, const char *arch, int depth,
                     struct err *e) {
    const json_t *entry;
    struct blob_desc desc;
    size_t i;
    int r = 0;

    if (arch && !index_platform(doc, arch))
        return index_lacks(doc, arch, -ENOENT, e);
    json_array_foreach(json_object_get(doc, "manifests"), i, entry) {
        if (r || !index_wants(doc, entry, arch))
            continue;
        r = blob_desc_parse(entry, "$.manifests[]", &desc, e);
        if (!r)
            r = add_document(c, cache_dir, &desc, NULL, depth + 1, e);
    }
    return r;
}

static int add_document(struct closure *c, const char *cache_dir, const struct blob_desc *desc, const char *arch,
                        int depth, struct err *e) {
    AUTO_JSON json_t *doc = NULL;
    struct closure_item *item;

    if (depth > INDEX_DEPTH_MAX)
        return err_set(e, -ELOOP, "its indexes are nested too deeply");
    int r = blob_exists(cache_dir, desc) ? blob_load_json(cache_dir, desc, &doc, e) : 0;
    if (!r && doc)
        r = json_is_array(json_object_get(doc, "manifests")) ? add_index(c, cache_dir, doc, arch, depth, e)
                                                             : add_manifest(c, cache_dir, doc, arch, e);
    return r < 0 ? r : add(c, cache_dir, desc, true, &item, e);
}

int closure_add(struct closure *c, const char *cache_dir, const struct blob_desc *root, const char *arch,
                struct err *e) {
    return add_document(c, cache_dir, root, arch, 0, e);
}

void closure_free(struct closure *c) {
    free(c->v);
    *c = (struct closure){0};
}
