/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/cache/merge.h"

#include <errno.h>
#include <string.h>

#include "lib/json.h"
#include "tools/cache/closure.h"
#include "tools/cache/partial.h"
#include "tools/image/layout.h"

#define MEDIA_INDEX "application/vnd.oci.image.index.v1+json"

static int load_named(const char *cache_dir, const char *name, struct blob_desc *desc, json_t **doc, struct err *e) {
    int r = layout_find(cache_dir, name, desc, e);

    return r < 0 ? r : blob_load_json(cache_dir, desc, doc, e);
}

int index_manifest(const char *cache_dir, const char *name, const char *arch, struct blob_desc *out, struct err *e) {
    int r = layout_find(cache_dir, name, out, e);

    return r < 0 ? r : index_manifest_of(cache_dir, name, arch, out, e);
}

int index_manifest_of(const char *cache_dir, const char *name, const char *arch, struct blob_desc *out, struct err *e) {
    AUTO_JSON json_t *doc = NULL;
    int r = blob_load_json(cache_dir, out, &doc, e);

    if (r < 0)
        return r;
    if (!json_is_array(json_object_get(doc, "manifests"))) {
        r = manifest_platform_check(cache_dir, doc, arch, e);
        return r < 0 ? err_wrap(e, r, "%s", name) : 0;
    }
    const json_t *entry = index_platform(doc, arch);
    if (entry)
        return blob_desc_parse(entry, "$.manifests[]", out, e);
    r = index_lacks(doc, arch, -ENOENT, e);
    return err_wrap(e, r, "%s", name);
}

int index_arches(const char *cache_dir, const char *name, json_t *out, struct err *e) {
    AUTO_JSON json_t *doc = NULL, *seen = json_object();
    struct blob_desc desc;
    const json_t *entry;
    size_t i;
    int r = seen ? load_named(cache_dir, name, &desc, &doc, e) : -ENOMEM;

    json_array_foreach(json_object_get(doc, "manifests"), i, entry) {
        const json_t *platform = json_object_get(entry, "platform"), *arch = json_object_get(platform, "architecture");
        const char *os = json_string_value(json_object_get(platform, "os")), *text = json_string_value(arch);
        if (r || !os || strcmp(os, "linux") != 0 || !text || json_object_get(seen, text))
            continue;
        if (json_object_set_new(seen, text, json_true()) < 0 || json_array_append(out, (json_t *)(uintptr_t)arch) < 0)
            r = -ENOMEM;
    }
    return r == -ENOMEM ? err_errno(e, r, "could not list the platforms of %s", name) : r;
}

static int store_entries(const char *cache_dir, json_t *entries, struct blob_desc *out, struct err *e) {
    AUTO_JSON json_t *doc =
        json_pack("{s:i, s:s, s:O}", "schemaVersion", 2, "mediaType", MEDIA_INDEX, "manifests", entries);

    (void)snprintf(out->media_type, sizeof(out->media_type), "%s", MEDIA_INDEX);
    return doc ? blob_store_json(cache_dir, doc, out, e) : err_errno(e, -ENOMEM, "could not write an index");
}

int index_narrow(const char *cache_dir, const char *arch, struct blob_desc *root, struct err *e) {
    AUTO_JSON json_t *doc = NULL, *entries = json_array();
    const json_t *entry;
    size_t i;
    int r = entries ? blob_load_json(cache_dir, root, &doc, e) : err_errno(e, -ENOMEM, "could not write an index");

    if (r < 0)
        return r;
    if (!json_is_array(json_object_get(doc, "manifests")))
        return manifest_platform_check(cache_dir, doc, arch, e);
    json_array_foreach(json_object_get(doc, "manifests"), i, entry) {
        if (index_wants(doc, entry, arch) && json_array_append(entries, (json_t *)(uintptr_t)entry) < 0)
            return err_errno(e, -ENOMEM, "could not write an index");
    }
    if (!json_array_size(entries))
        return index_lacks(doc, arch, -ENOENT, e);
    return json_array_size(entries) == 1 ? blob_desc_parse(json_array_get(entries, 0), "$.manifests[]", root, e)
                                         : store_entries(cache_dir, entries, root, e);
}

int index_store(const char *cache_dir, const char *name, json_t *entries, struct err *e) {
    struct blob_desc desc = {0};
    int r = store_entries(cache_dir, entries, &desc, e);

    return r < 0 ? r : layout_name(cache_dir, &desc, &name, 1, e);
}

/* What the index has of other platforms. */
static int keep_others(const json_t *index, const char *arch, json_t *entries) {
    const json_t *platform = index_platform(index, arch), *entry;
    size_t i;

    json_array_foreach(json_object_get(index, "manifests"), i, entry) {
        bool of_ours = platform && index_wants(index, entry, arch);
        if (!of_ours && json_array_append(entries, (json_t *)(uintptr_t)entry) < 0)
            return -ENOMEM;
    }
    return 0;
}

static json_t *platform_entry(const struct blob_desc *desc, const char *os, const char *arch) {
    return json_pack("{s:s, s:s, s:I, s:{s:s, s:s}}", "mediaType", desc->media_type, "digest", desc->digest, "size",
                     (json_int_t)desc->size, "platform", "os", os, "architecture", arch);
}

static int add_entries(json_t *entries, const struct blob_desc *manifest, const char *arch,
                       const struct blob_desc *attestation) {
    if (json_array_append_new(entries, platform_entry(manifest, "linux", arch)) < 0)
        return -ENOMEM;
    if (!attestation)
        return 0;
    json_t *entry = platform_entry(attestation, "unknown", "unknown");
    if (json_object_set_new(entry, "annotations",
                            json_pack("{s:s, s:s}", "vnd.docker.reference.digest", manifest->digest,
                                      "vnd.docker.reference.type", "attestation-manifest")) < 0) {
        json_decref(entry);
        return -ENOMEM;
    }
    return json_array_append_new(entries, entry) < 0 ? -ENOMEM : 0;
}

int index_put(const char *cache_dir, const char *name, const struct blob_desc *manifest, const char *arch,
              const struct blob_desc *attestation, struct err *e) {
    AUTO_JSON json_t *old = NULL, *entries = json_array();
    struct blob_desc old_desc;
    AUTO_CLOSE int lock = cache_lock(cache_dir, "merge", false, e);

    if (lock < 0)
        return lock;
    int r = load_named(cache_dir, name, &old_desc, &old, e);
    if (r < 0 && r != -ENOENT)
        return r;
    if (!entries || keep_others(old, arch, entries) < 0 || add_entries(entries, manifest, arch, attestation) < 0)
        return err_errno(e, -ENOMEM, "could not write an index");
    return index_store(cache_dir, name, entries, e);
}
