/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/output/attributes.h"

#include <errno.h>
#include <string.h>

#include "lib/array.h"
#include "lib/attributes.h"
#include "lib/log.h"

struct attributes_of {
    const char *path;
    const struct entry_xattr *v;
    size_t len;
};

void attributes_fini(struct attributes *a) {
    pathmap_free(&a->names);
    free(a->v);
    *a = (struct attributes){.names = PATHMAP_INIT};
}

static struct attributes_of *find(const struct attributes *a, const char *path) {
    const struct pathmap_slot *slot = pathmap_find(&a->names, path, strlen(path));

    return slot ? &a->v[slot->number - 1] : NULL;
}

static const struct entry_xattr *copy(struct arena *arena, const struct entry *entry) {
    struct entry_xattr *out = arena_alloc(arena, entry->xattrs_len * sizeof(*out));

    for (size_t i = 0; out && i < entry->xattrs_len; i++) {
        const struct entry_xattr *x = &entry->xattrs[i];
        out[i] = (struct entry_xattr){arena_string(arena, x->name), arena_bytes(arena, x->value, x->len), x->len};
        if (!out[i].name || !out[i].value)
            return NULL;
    }
    return out;
}

static int put(struct attributes *a, const char *path, const struct entry_xattr *v, size_t len) {
    struct attributes_of *old = find(a, path);

    if (!old) {
        struct pathmap_slot *slot = ARRAY_ROOM(a->v, a->len, a->cap) < 0 ? NULL : pathmap_add(&a->names, path);
        if (!slot)
            return -ENOMEM;
        slot->number = (uint32_t)++a->len;
        old = &a->v[a->len - 1];
        old->path = slot->path;
    }
    old->v = v;
    old->len = len;
    return 0;
}

int attributes_note(struct attributes *a, const struct entry *entry, struct err *e) {
    bool link = entry->type == ENTRY_HARDLINK;
    const struct attributes_of *target = link ? find(a, entry->link) : NULL;
    size_t len = target ? target->len : link ? 0 : entry->xattrs_len;
    struct attributes_of *old = len ? NULL : find(a, entry->path);

    if (old)
        old->len = 0;
    if (!len)
        return 0;
    const struct entry_xattr *v = target ? target->v : copy(&a->names.strings, entry);
    if (!v || put(a, entry->path, v, len) < 0)
        return err_errno(e, -ENOMEM, "could not hold the extended attributes of %s", entry->path);
    return 0;
}

/* tmpfs has names below user. since Linux 6.6 only, and knows no others. */
bool attributes_are_for_tmpfs(const char *name) {
    static const char *const known[] = {"security.", "trusted.", "system.posix_acl_"};

    for (size_t i = 0; i < ARRAY_SIZE(known); i++)
        if (!strncmp(name, known[i], strlen(known[i])))
            return true;
    return false;
}

bool attributes_are_not_for_tmpfs(const char *name) {
    return !attributes_are_for_tmpfs(name);
}

static int by_path(const void *a, const void *b) {
    return strcmp((*(const struct attributes_of *const *)a)->path, (*(const struct attributes_of *const *)b)->path);
}

/* All that are noted, to be freed; NULL: no memory. */
static const struct attributes_of **sorted(const struct attributes *a) {
    const struct attributes_of **all = calloc(a->len + 1, sizeof(const struct attributes_of *));

    for (size_t i = 0; all && i < a->len; i++)
        all[i] = &a->v[i];
    if (all)
        qsort(all, a->len, sizeof(const struct attributes_of *), by_path);
    return all;
}

static int put_one(struct buf *out, const char *path, const struct entry_xattr *x) {
    int r = buf_append(out, path, strlen(path) + 1);

    if (!r)
        r = buf_append(out, x->name, strlen(x->name) + 1);
    for (size_t i = 0; i < x->len && !r; i++)
        r = buf_printf(out, "%02x", ((const unsigned char *)x->value)[i]);
    return r ? r : buf_append(out, "", 1);
}

int attributes_put_table(const struct attributes *a, attributes_are_fn *are, struct buf *out, struct err *e) {
    AUTO_FREE const struct attributes_of **all = sorted(a);
    int r = all ? 0 : -ENOMEM;

    for (size_t i = 0; i < a->len && !r; i++)
        for (size_t k = 0; k < all[i]->len && !r; k++)
            if (!are || are(all[i]->v[k].name))
                r = put_one(out, all[i]->path, &all[i]->v[k]);
    if (r == -E2BIG)
        return err_set(e, r,
                       "could not store the extended attributes of the files: their table is larger than %zu KiB; a "
                       "root of squashfs takes them (--root squashfs)",
                       out->max >> 10);
    return r < 0 ? err_errno(e, r, "could not store the extended attributes of the files") : 0;
}

int attributes_warn(const struct attributes *a, attributes_are_fn *are, const char *why, struct err *e) {
    AUTO_FREE const struct attributes_of **all = sorted(a);
    const char *path = NULL, *name = NULL;
    size_t files = 0;

    if (!all)
        return err_errno(e, -ENOMEM, "could not look at the extended attributes of the files");
    for (size_t i = 0; i < a->len; i++) {
        bool loses = false;
        for (size_t k = 0; k < all[i]->len && !loses; k++)
            if ((loses = !are || are(all[i]->v[k].name)) && !files++) {
                path = all[i]->path;
                name = all[i]->v[k].name;
            }
    }
    if (files)
        log_warning("%zu file%s lose%s extended attributes, /%s its %s%s: %s", files, files > 1 ? "s" : "",
                    files > 1 ? "" : "s", path, name, files > 1 ? ", for one" : "", why);
    return 0;
}
