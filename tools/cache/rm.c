/* SPDX-License-Identifier: Apache-2.0 */
/* Images go by their names; with the last name of an image in a repository go the signatures of it there. */
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
    json_t *names; /* to be removed: what was asked for, then what is attached to it */
};

static bool has_name(const struct going *g, const char *name) {
    const json_t *one;
    size_t i;

    json_array_foreach(g->names, i, one) {
        if (!strcmp(json_string_value(one), name))
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

/* What the entries of that repository reach, those that go or those that stay. What is damaged may reach anything. */
static int reach(const struct going *g, const char *repository, bool going, struct closure *c, bool *unknown) {
    size_t len = repository_len(repository), i;
    const json_t *entry;

    json_array_foreach(json_object_get(g->index, "manifests"), i, entry) {
        const char *name = layout_entry_name(entry);
        struct blob_desc desc;
        if (!name || repository_len(name) != len || strncmp(name, repository, len) != 0 || attached_to(name) ||
            has_name(g, name) != going)
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

static int add_attached(struct going *g, const char *name) {
    AUTO_CLOSURE struct closure goes = {0}, stays = {0};
    bool unknown = false;
    const char *hex = attached_to(name);

    if (!hex || has_name(g, name))
        return 0;
    int r = reach(g, name, true, &goes, &unknown);
    if (r || !reaches(&goes, hex))
        return r;
    unknown = false;
    r = reach(g, name, false, &stays, &unknown);
    if (r || unknown || reaches(&stays, hex))
        return r;
    return json_array_append_new(g->names, json_string(name)) < 0 ? -ENOMEM : 0;
}

/* Those that are attached come last, and so are never asked for what is attached to them. */
static int collect(struct going *g, const char *const *refs, size_t len, struct err *e) {
    const json_t *entry;
    size_t i;
    int r = layout_load(g->cache_dir, &g->index, e);

    for (i = 0; i < len && !r; i++) {
        AUTO_FREE char *full = NULL;
        r = image_ref_normalize(refs[i], &full, e);
        const char *stored = r ? NULL : layout_stored_name(g->index, full);
        if (!r && json_array_append_new(g->names, json_string(stored ? stored : full)) < 0)
            r = err_errno(e, -ENOMEM, "could not remove images");
    }
    json_array_foreach(json_object_get(g->index, "manifests"), i, entry) {
        const char *name = layout_entry_name(entry);
        if (!r && name && add_attached(g, name) < 0)
            r = err_errno(e, -ENOMEM, "could not remove images");
    }
    return r;
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
