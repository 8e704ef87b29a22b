/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>

#include "lib/json.h"
#include "lib/log.h"
#include "lib/printable.h"
#include "tools/cache/cache_priv.h"
#include "tools/cache/closure.h"
#include "tools/image/image.h"
#include "tools/image/layout.h"

/* What there is of an image: {name, digest, size, complete, platforms}. */
static json_t *describe(const char *cache_dir, const char *name, const struct blob_desc *desc) {
    AUTO_CLOSURE struct closure c = {0};
    AUTO_JSON json_t *doc = NULL;
    struct err e = {0};
    char platforms[512] = "";
    uint64_t size = 0;
    int r = closure_add(&c, cache_dir, desc, NULL, &e);

    for (size_t i = 0; i < c.len; i++)
        size += c.v[i].there ? c.v[i].desc.size : 0;
    if (!r && blob_load_json(cache_dir, desc, &doc, NULL) == 0)
        (void)index_platforms(doc, platforms, sizeof(platforms));
    return json_pack("{s:s, s:s, s:I, s:b, s:s, s:s*}", "name", name, "digest", desc->digest, "size", (json_int_t)size,
                     "complete", !r && !c.missing, "platforms", platforms, "error", r < 0 ? e.msg : NULL);
}

static bool is_wanted(const json_t *index, const char *name, char *const *refs, size_t len) {
    for (size_t i = 0; i < len; i++) {
        AUTO_FREE char *full = NULL;
        const char *stored = image_ref_normalize(refs[i], &full, NULL) == 0 ? layout_stored_name(index, full) : NULL;
        if (stored && !strcmp(stored, name))
            return true;
    }
    return len == 0;
}

static int collect(const char *cache_dir, char *const *refs, size_t len, json_t *out, struct err *e) {
    AUTO_JSON json_t *index = NULL;
    const json_t *entry;
    struct blob_desc desc;
    size_t i;
    int r = layout_load(cache_dir, &index, e);

    json_array_foreach(json_object_get(index, "manifests"), i, entry) {
        const char *name = layout_entry_name(entry);
        if (r || !is_wanted(index, name ? name : "", refs, len))
            continue;
        struct err why = {0};
        if (layout_entry(entry, &desc, &why) < 0) {
            log_warning("%s", why.msg);
            continue;
        }
        if (json_array_append_new(out, describe(cache_dir, name ? name : "", &desc)) < 0)
            r = err_errno(e, -ENOMEM, "could not list the cache");
    }
    return r;
}

static int print_line(const json_t *item) {
    AUTO_FREE char *platforms = printable_copy(json_string_value(json_object_get(item, "platforms")));
    AUTO_FREE char *name = printable_copy(json_string_value(json_object_get(item, "name")));
    const char *error = json_string_value(json_object_get(item, "error"));

    if (!platforms || !name)
        return -ENOMEM;
    return printf("%s\t%s\t%.1f MB\t%s%s%s\n", *name ? name : "<no name>",
                  json_string_value(json_object_get(item, "digest")),
                  (double)json_integer_value(json_object_get(item, "size")) / 1e6, platforms,
                  json_is_true(json_object_get(item, "complete")) ? "" : "\tin part", error ? "\tdamaged" : "");
}

int cache_ls(const char *cache_dir, char *const *refs, size_t len, bool json, struct err *e) {
    AUTO_JSON json_t *list = json_array();
    const json_t *item;
    size_t i;
    int r = list ? collect(cache_dir, refs, len, list, e) : err_errno(e, -ENOMEM, "could not list the cache");

    if (r < 0)
        return r;
    if (json) {
        if (json_dumpf(list, stdout, JSON_INDENT(2)) < 0 || putchar('\n') == EOF)
            return err_errno(e, -EIO, "could not write to standard output");
        return 0;
    }
    json_array_foreach(list, i, item) {
        if (print_line(item) < 0)
            return err_errno(e, -EIO, "could not write to standard output");
    }
    return len && !json_array_size(list) ? err_set(e, -ENOENT, "could not find %s in the cache %s", refs[0], cache_dir)
                                         : 0;
}
