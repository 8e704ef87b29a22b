/* SPDX-License-Identifier: Apache-2.0 */
/* `rm` and `clean` with --published-only: what a registry can give back. */
#include <errno.h>
#include <string.h>

#include "lib/json.h"
#include "lib/log.h"
#include "tools/cache/cache_priv.h"
#include "tools/image/image.h"
#include "tools/image/layout.h"

/* Whoever cannot be asked is no reason to stop: the image stays. */
static bool is_published(const char *cache_dir, struct registry *registry, const char *name) {
    AUTO_REFERENCE struct reference ref = {0};
    struct blob_desc desc;
    struct err e = {0};
    bool exists = false;
    int r = layout_find(cache_dir, name, &desc, &e);

    if (!r)
        r = reference_parse(name, &ref, &e);
    if (!r && strcmp(ref.name, name) != 0)
        r = err_set(&e, -EINVAL, "its name does not say which registry");
    if (!r)
        r = registry_has(registry, &ref, desc.digest, &exists, &e);
    if (r < 0)
        log_notice("%s stays: %s", name, e.msg);
    else if (!exists)
        log_notice("%s stays: its registry does not have it, or has another image of this name", name);
    return !r && exists;
}

/* The names of all images, or of these. */
static int list_names(const char *cache_dir, char *const *refs, size_t len, json_t *names, struct err *e) {
    AUTO_JSON json_t *index = NULL;
    const json_t *entry;
    struct blob_desc desc;
    size_t i;
    int r = refs ? 0 : layout_load(cache_dir, &index, e);

    for (i = 0; refs && i < len && !r; i++) {
        AUTO_FREE char *full = NULL;
        r = image_ref_normalize(refs[i], &full, e);
        if (!r)
            r = layout_find(cache_dir, full, &desc, e);
        if (!r && json_array_append_new(names, json_string(full)) < 0)
            r = err_errno(e, -ENOMEM, "could not list the images");
    }
    json_array_foreach(json_object_get(index, "manifests"), i, entry) {
        const char *name = layout_entry_name(entry);
        if (!r && name && json_array_append_new(names, json_string(name)) < 0)
            r = err_errno(e, -ENOMEM, "could not list the images");
    }
    return r;
}

int cache_rm_published(const char *cache_dir, struct registry *registry, char *const *refs, size_t len, struct err *e) {
    AUTO_JSON json_t *names = json_array();
    const json_t *name;
    size_t i, published_len = 0;
    int r = names ? list_names(cache_dir, refs, len, names, e) : err_errno(e, -ENOMEM, "could not list the images");
    const char **published = calloc(json_array_size(names) + 1, sizeof(*published));

    if (!r && !published)
        r = err_errno(e, -ENOMEM, "could not list the images");
    json_array_foreach(names, i, name) {
        if (!r && is_published(cache_dir, registry, json_string_value(name)))
            published[published_len++] = json_string_value(name);
    }
    if (!r)
        r = cache_rm(cache_dir, published, published_len, e);
    free(published);
    return r;
}
