/* SPDX-License-Identifier: Apache-2.0 */
/* Names in a registry: another one for an image, one index for the images of several platforms. */
#include <errno.h>
#include <string.h>

#include "lib/json.h"
#include "lib/log.h"
#include "tools/cache/closure.h"
#include "tools/cache/merge.h"
#include "tools/cache/partial.h"
#include "tools/image/layout.h"
#include "tools/registry/registry_priv.h"

int registry_tag(struct registry *r, const char *cache_dir, const struct reference *from, const struct reference *to,
                 struct err *e) {
    bool same = !strcmp(from->registry, to->registry) && !strcmp(from->repository, to->repository);
    struct endpoint *list[ENDPOINTS_MAX];
    AUTO_JSON json_t *doc = NULL;
    struct blob_desc desc = {0};
    size_t len;

    if (!same) {
        int result = registry_pull(r, cache_dir, from, NULL, e);
        return result < 0 ? result : registry_push(r, cache_dir, from->name, to, NULL, e);
    }
    int result = registry_endpoints(r, from->registry, list, &len, e);
    if (result < 0)
        return result;
    const struct target t = {
        .registry = r, .endpoint = list[len - 1], .curl = r->curl, .repository = from->repository, .push = true};
    result = manifest_fetch(&t, cache_dir, reference_version(from), &desc, &doc, e);
    if (!result)
        result = manifest_check_name(&desc, to, e);
    if (!result)
        result = manifest_put(&t, cache_dir, &desc, to->tag ? to->tag : desc.digest, e);
    return result < 0 ? err_wrap(e, result, "could not tag %s as %s", from->name, to->name) : 0;
}

static json_t *entry_of(const struct blob_desc *desc, const char *arch) {
    return json_pack("{s:s, s:s, s:I, s:{s:s, s:s}}", "mediaType", desc->media_type, "digest", desc->digest, "size",
                     (json_int_t)desc->size, "platform", "os", "linux", "architecture", arch);
}

/* The entries of TAG-ARCH, which is a manifest or an index with its attestation. */
static int collect(const struct target *t, const char *cache_dir, const struct reference *to, const char *arch,
                   json_t *entries, struct err *e) {
    AUTO_FREE char *tag = NULL;
    AUTO_JSON json_t *doc = NULL;
    struct blob_desc desc = {0};
    const json_t *entry;
    size_t i;

    if (asprintf(&tag, "%s-%s", to->tag, arch) < 0) {
        tag = NULL;
        return err_errno(e, -ENOMEM, "could not name the image for %s", arch);
    }
    int result = manifest_fetch(t, cache_dir, tag, &desc, &doc, e);
    if (result < 0)
        return result;
    if (!manifest_is_index(doc))
        return json_array_append_new(entries, entry_of(&desc, arch)) < 0 ? err_errno(e, -ENOMEM, "could not merge") : 0;
    json_array_foreach(json_object_get(doc, "manifests"), i, entry) {
        if (index_wants(doc, entry, arch) && json_array_append(entries, (json_t *)(uintptr_t)entry) < 0)
            return err_errno(e, -ENOMEM, "could not merge");
    }
    return 0;
}

static int merge(const struct target *t, const char *cache_dir, const struct reference *to, const char *const *arches,
                 size_t len, struct err *e) {
    AUTO_JSON json_t *entries = json_array();
    struct blob_desc desc;
    int result = entries ? 0 : err_errno(e, -ENOMEM, "could not merge");

    for (size_t i = 0; i < len && !result; i++) {
        result = collect(t, cache_dir, to, arches[i], entries, e);
        if (result == -ENOENT) {
            log_info("%s: nothing for linux/%s", to->name, arches[i]);
            result = 0;
        }
    }
    if (!result && !json_array_size(entries))
        result = err_set(e, -ENOENT, "the registry has no %s-ARCH for any architecture", to->name);
    if (!result)
        result = index_store(cache_dir, to->name, entries, e);
    if (!result)
        result = layout_find(cache_dir, to->name, &desc, e);
    return result < 0 ? result : manifest_put(t, cache_dir, &desc, to->tag, e);
}

int registry_merge(struct registry *r, const char *cache_dir, const struct reference *to, const char *const *arches,
                   size_t len, struct err *e) {
    struct endpoint *list[ENDPOINTS_MAX];
    size_t endpoints;
    AUTO_CLOSE int users = cache_lock(cache_dir, CACHE_USERS, true, e);
    int result = users < 0 ? users : registry_endpoints(r, to->registry, list, &endpoints, e);

    if (result < 0)
        return result;
    const struct target t = {
        .registry = r, .endpoint = list[endpoints - 1], .curl = r->curl, .repository = to->repository, .push = true};
    result = to->tag ? merge(&t, cache_dir, to, arches, len, e) : err_set(e, -EINVAL, "it has no tag");
    return result < 0 ? err_wrap(e, result, "could not make the index %s", to->name) : 0;
}
