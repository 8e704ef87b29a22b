/* SPDX-License-Identifier: Apache-2.0 */
/* From a registry into the cache: manifests first, then layers in parallel, the name last. */
#include <errno.h>
#include <string.h>

#include "lib/json.h"
#include "lib/log.h"
#include "tools/cache/closure.h"
#include "tools/cache/partial.h"
#include "tools/image/layout.h"
#include "tools/registry/registry_priv.h"

#define INDEX_DEPTH_MAX 4
#define MIRRORS_SAID_MAX ((size_t)384)

struct pull {
    const struct target *target;
    const char *cache_dir;
    struct transfer *transfer;
};

static int add_document(struct pull *p, const json_t *doc, const char *arch, int depth, struct err *e);

static int add_manifest(struct pull *p, const json_t *doc, struct err *e) {
    struct blob_desc desc;
    const json_t *layer;
    size_t i;
    int r = blob_desc_parse(json_object_get(doc, "config"), "$.config", &desc, e);

    if (!r && !blob_exists(p->cache_dir, &desc))
        r = transfer_add(p->transfer, &desc, e);
    json_array_foreach(json_object_get(doc, "layers"), i, layer) {
        if (!r)
            r = blob_desc_parse(layer, "$.layers[]", &desc, e);
        if (!r && !blob_exists(p->cache_dir, &desc))
            r = transfer_add(p->transfer, &desc, e);
    }
    return r;
}

static int add_index(struct pull *p, const json_t *index, const char *arch, int depth, struct err *e) {
    const json_t *list = json_object_get(index, "manifests"), *entry;
    size_t i;
    int r = 0;

    if (depth == INDEX_DEPTH_MAX || json_array_size(list) > REGISTRY_MANIFESTS_MAX)
        return err_set(e, -E2BIG, "its index is nested too deeply or has more than %d entries", REGISTRY_MANIFESTS_MAX);
    if (arch && !index_platform(index, arch))
        return index_lacks(index, arch, -ENODATA, e);
    json_array_foreach(list, i, entry) {
        AUTO_JSON json_t *doc = NULL;
        struct blob_desc desc;
        if (r || !index_wants(index, entry, arch))
            continue;
        r = blob_desc_parse(entry, "$.manifests[]", &desc, e);
        if (!r)
            r = manifest_get(p->target, p->cache_dir, &desc, &doc, e);
        if (!r)
            r = add_document(p, doc, NULL, depth + 1, e);
    }
    return r;
}

static int add_document(struct pull *p, const json_t *doc, const char *arch, int depth, struct err *e) {
    return manifest_is_index(doc) ? add_index(p, doc, arch, depth, e) : add_manifest(p, doc, e);
}

/*
 * The image's index or manifest. What a digest names never changes, and a tag was looked up once in this session: from
 * the cache, if that has it.
 */
static int fetch_root(const struct target *t, const char *cache_dir, const struct reference *ref,
                      struct blob_desc *desc, json_t **doc, struct err *e) {
    bool known = ref->digest || registry_has_asked(t->registry, ref->name);

    if (!known || layout_find(cache_dir, ref->name, desc, NULL) < 0)
        return manifest_fetch(t, cache_dir, reference_version(ref), desc, doc, e);
    int r = manifest_get(t, cache_dir, desc, doc, e);
    if (!r)
        manifest_set_type(desc, *doc, desc->media_type);
    return r;
}

/* Before its layers come. What is no image, but lies in a registry all the same, has no platform. */
static int check_platform(const struct target *t, const char *cache_dir, const json_t *manifest, const char *arch,
                          struct err *e) {
    struct transfer x = {.target = t, .cache_dir = cache_dir};
    struct blob_desc desc;
    int r = blob_desc_parse(json_object_get(manifest, "config"), "$.config", &desc, e);

    if (r < 0 || !strstr(desc.media_type, "image"))
        return r;
    if (!blob_exists(cache_dir, &desc))
        r = transfer_add(&x, &desc, e);
    if (!r && x.len)
        r = blob_fetch(&x, t->curl, 0, e);
    transfer_free(&x);
    return r < 0 ? r : manifest_platform_check(cache_dir, manifest, arch, e);
}

static int pull_from(const struct target *t, const char *cache_dir, const struct reference *ref, const char *arch,
                     struct err *e) {
    struct transfer x = {.target = t, .cache_dir = cache_dir, .move = blob_fetch};
    struct pull p = {.target = t, .cache_dir = cache_dir, .transfer = &x};
    AUTO_JSON json_t *doc = NULL;
    struct blob_desc desc = {0};
    int r = fetch_root(t, cache_dir, ref, &desc, &doc, e);

    if (!r && arch && !manifest_is_index(doc))
        r = check_platform(t, cache_dir, doc, arch, e);
    if (!r)
        r = add_document(&p, doc, arch, 0, e);
    if (!r)
        r = transfer_run(&x, ref->name, e);
    transfer_free(&x);
    const char *const name = ref->name;
    return r < 0 ? r : layout_name(cache_dir, &desc, &name, 1, e);
}

/* Another server would not help. */
static bool is_ours(int code) {
    return code == -ENOSPC || code == -EDQUOT || code == -ENOMEM || code == -EROFS;
}

/* The registry's reason is the message; those of the mirrors, which were asked first, come behind it. */
struct tried {
    char text[MIRRORS_SAID_MAX];
    size_t len, share; /* of one of them: each is named */
};

static void note_mirror(struct tried *t, const struct endpoint *mirror, const struct err *why) {
    size_t room = sizeof(t->text) - t->len;
    int n = snprintf(t->text + t->len, room < t->share ? room : t->share, "; mirror %s: %s", mirror->host, why->msg);

    t->len += n < 0 ? 0 : strlen(t->text + t->len);
}

int registry_pull(struct registry *r, const char *cache_dir, const struct reference *ref, const char *arch,
                  struct err *e) {
    struct endpoint *list[ENDPOINTS_MAX];
    size_t len;
    AUTO_CLOSE int users = cache_lock(cache_dir, CACHE_USERS, true, e);
    int result = users < 0 ? users : registry_endpoints(r, ref->registry, list, &len, e);

    if (result < 0)
        return result;
    struct tried tried = {.share = len > 1 ? MIRRORS_SAID_MAX / (len - 1) : 0};
    struct err why = {0};
    for (size_t i = 0; i < len && (i == 0 || result < 0) && !(i && is_ours(result)); i++) {
        const struct target t = {.registry = r, .endpoint = list[i], .curl = r->curl, .repository = ref->repository};
        log_info("pulling %s from %s", ref->name, list[i]->host);
        result = pull_from(&t, cache_dir, ref, arch, &why);
        if (result < 0 && i + 1 < len && !is_ours(result)) {
            log_info("could not pull %s: %s; asking %s", ref->name, why.msg, list[i + 1]->host);
            note_mirror(&tried, list[i], &why);
        }
    }
    return result < 0
               ? err_set(e, result, "could not pull %s: %.*s%s", ref->name,
                         tried.len ? (int)(ERR_MSG_MAX - MIRRORS_SAID_MAX - 128) : ERR_MSG_MAX, why.msg, tried.text)
               : 0;
}

static int look(const struct target *t, const struct reference *ref, const char *digest, bool *exists, struct err *e) {
    AUTO_JSON json_t *doc = NULL;
    struct blob_desc desc = {0};
    int r = manifest_fetch(t, NULL, reference_version(ref), &desc, &doc, e);

    *exists = !r && (!digest || !strcmp(desc.digest, digest));
    return r == -ENOENT ? 0 : r;
}

int registry_has(struct registry *r, const struct reference *ref, const char *digest, bool *exists, struct err *e) {
    struct endpoint *list[ENDPOINTS_MAX];
    size_t len;
    int result = registry_endpoints(r, ref->registry, list, &len, e);

    *exists = false;
    if (result < 0)
        return result;
    for (size_t i = 0; i < len && !*exists; i++) {
        const struct target t = {.registry = r, .endpoint = list[i], .curl = r->curl, .repository = ref->repository};
        result = look(&t, ref, digest, exists, e);
    }
    return result < 0 ? err_wrap(e, result, "could not look for %s", ref->name) : 0;
}
