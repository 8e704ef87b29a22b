/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Images go by their names; with the last name of an image in a repository go the signatures of it there, and with the
 * last entry that reaches it the manifests without a name that are about it (OCI's `subject`).
 */
#include <errno.h>
#include <string.h>

#include "lib/fdutil.h"
#include "lib/json.h"
#include "tools/cache/cache_priv.h"
#include "tools/cache/closure.h"
#include "tools/cache/partial.h"
#include "tools/image/image.h"
#include "tools/image/layout.h"

struct going {
    const char *cache_dir;
    json_t *index;
    json_t *names; /* to be removed: what was asked for, then what is about it, as layout_entry_is() */
};

static bool goes(const struct going *g, const json_t *entry) {
    const json_t *one;
    size_t i;

    json_array_foreach(g->names, i, one) {
        if (layout_entry_is(entry, json_string_value(one)))
            return true;
    }
    return false;
}

/* How much of a name says where it is: all before the tag. */
static size_t repository_len(const char *name) {
    const char *slash = strrchr(name, '/');

    return slash ? (size_t)(slash - name) + strcspn(slash, ":@") : 0;
}

/* The HEX of a name REPOSITORY:sha256-HEX or REPOSITORY:sha256-HEX.sig (.att, ...), as cosign has them; NULL: none. */
static const char *attached_to(const char *name) {
    static const char prefix[] = ":sha256-";
    const char *tag = name + repository_len(name), *hex = tag + strlen(prefix);

    if (strncmp(tag, prefix, strlen(prefix)) != 0 || strspn(hex, "0123456789abcdef") != 64)
        return NULL;
    return !hex[64] || hex[64] == '.' ? hex : NULL;
}

static bool reaches(const struct closure *c, const char *hex) {
    for (size_t i = 0; i < c->len; i++)
        if (c->v[i].manifest && !strncmp(c->v[i].desc.digest + strlen("sha256:"), hex, 64))
            return true;
    return false;
}

/* Of the repository (NULL: of all), but for what is attached there. */
static bool is_of(const char *name, const char *repository) {
    size_t len = repository ? repository_len(repository) : 0;

    return !repository ||
           (name && repository_len(name) == len && !strncmp(name, repository, len) && !attached_to(name));
}

/* What the entries of that repository reach, those that go or those that stay. What is damaged may reach anything. */
static int reach(const struct going *g, const char *repository, bool going, struct closure *c, bool *unknown) {
    const json_t *entry;
    size_t i;

    json_array_foreach(json_object_get(g->index, "manifests"), i, entry) {
        struct blob_desc desc;
        if (!is_of(layout_entry_name(entry), repository) || goes(g, entry) != going)
            continue;
        int r = layout_entry(entry, &desc, NULL);
        if (!r)
            r = closure_add(c, g->cache_dir, &desc, NULL, NULL);
        if (r == -ENOMEM)
            return r;
        *unknown = *unknown || (r < 0 && r != -ENODATA);
    }
    return 0;
}

/* 1: a manifest of that digest goes, and none stays. */
static int is_last(const struct going *g, const char *repository, const char *hex) {
    AUTO_CLOSURE struct closure going = {0}, staying = {0};
    bool unknown = false;
    int r = reach(g, repository, true, &going, &unknown);

    if (r || !reaches(&going, hex))
        return r;
    unknown = false;
    r = reach(g, repository, false, &staying, &unknown);
    return r ? r : !unknown && !reaches(&staying, hex);
}

static int add_attached(struct going *g, const json_t *entry) {
    const char *name = layout_entry_name(entry), *hex = name ? attached_to(name) : NULL;
    int r = !hex || goes(g, entry) ? 0 : is_last(g, name, hex);

    return r > 0 && json_array_append_new(g->names, json_string(name)) < 0 ? -ENOMEM : r;
}

static int add_referrer(struct going *g, const json_t *entry) {
    AUTO_JSON json_t *doc = NULL;
    struct blob_desc desc, subject;

    if (layout_entry_name(entry) || goes(g, entry) || layout_entry(entry, &desc, NULL) < 0 ||
        !blob_exists(g->cache_dir, &desc) || blob_load_json(g->cache_dir, &desc, &doc, NULL) < 0 ||
        blob_desc_parse(json_object_get(doc, "subject"), "$.subject", &subject, NULL) < 0)
        return 0;
    int r = is_last(g, NULL, subject.digest + strlen("sha256:"));
    return r > 0 && json_array_append_new(g->names, json_sprintf("@%s", desc.digest)) < 0 ? -ENOMEM : r;
}

/* What is attached is never asked for what is attached to it; a referrer may have referrers. */
static int add_what_is_about(struct going *g, struct err *e) {
    const json_t *entry;
    size_t i;
    int r = 0, found = 1;

    json_array_foreach(json_object_get(g->index, "manifests"), i, entry) {
        if (r >= 0)
            r = add_attached(g, entry);
    }
    for (; found > 0 && r >= 0;) {
        found = 0;
        json_array_foreach(json_object_get(g->index, "manifests"), i, entry) {
            if (r >= 0 && (r = add_referrer(g, entry)) > 0)
                found++;
        }
    }
    return r < 0 ? err_errno(e, r, "could not remove images") : 0;
}

static int collect(struct going *g, const char *const *refs, size_t len, struct err *e) {
    int r = layout_load(g->cache_dir, &g->index, e);

    for (size_t i = 0; i < len && !r; i++) {
        AUTO_FREE char *full = NULL;
        r = image_ref_normalize(refs[i], &full, e);
        const char *stored = r ? NULL : layout_stored_name(g->index, full);
        if (!r && json_array_append_new(g->names, json_string(stored ? stored : full)) < 0)
            r = err_errno(e, -ENOMEM, "could not remove images");
    }
    return r ? r : add_what_is_about(g, e);
}

/* A full disk has no room for an index without the names: what only they reach goes first then. */
static int remove_names(const char *cache_dir, const char *const *names, size_t len, struct err *e) {
    struct swept s = {0};
    int r = layout_unname(cache_dir, names, len, e);
    bool full = r == -ENOSPC || r == -EDQUOT;

    if (r < 0 && !full)
        return r;
    AUTO_CLOSE int lock = cache_lock(cache_dir, CACHE_USERS, false, e);
    r = lock < 0 ? lock : 0;
    if (!r && full)
        r = cache_sweep(cache_dir, names, len, &s, e);
    if (!r && full)
        r = layout_unname(cache_dir, names, len, e);
    if (!r)
        r = cache_sweep(cache_dir, NULL, 0, &s, e);
    return r < 0 ? r : cache_print_swept(&s, e);
}

int cache_rm(const char *cache_dir, const char *const *refs, size_t len, struct err *e) {
    AUTO_JSON json_t *names = json_array();
    struct going g = {.cache_dir = cache_dir, .names = names};
    const json_t *name;
    size_t i;
    int r = names ? collect(&g, refs, len, e) : err_errno(e, -ENOMEM, "could not remove images");

    json_decref(g.index);
    if (r < 0)
        return r;
    const char **list = calloc(json_array_size(names) + 1, sizeof(*list));
    json_array_foreach(names, i, name) {
        if (list)
            list[i] = json_string_value(name);
    }
    r = list ? remove_names(cache_dir, list, json_array_size(names), e)
             : err_errno(e, -ENOMEM, "could not remove images");
    free(list);
    return r;
}
