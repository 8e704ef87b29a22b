/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A Debian package as a layer. What `keep` and `exclude` drop may be the file that hard links of the package which are
 * kept refer to: then the first of them becomes the file. Its contents have gone by when that is seen, so the package
 * is read a second time; that is rare.
 */
#include <errno.h>
#include <string.h>

#include "lib/json.h"
#include "tools/pkg/assemble.h"

struct deb_layer {
    const struct recipe *recipe;
    const struct deb *deb;
    struct layer_writer *w;
    json_t *orphans; /* dropped file -> the kept hard links to it, in the package's order */
};

static bool takes(const struct deb_layer *l, const char *path) {
    return *path && recipe_takes(l->recipe, "debian", path);
}

static int note_orphan(const struct deb_layer *l, const struct entry *link, struct err *e) {
    json_t *links = json_object_get(l->orphans, link->link);

    if (!links) {
        links = json_array();
        if (json_object_set_new_nocheck(l->orphans, link->link, links) < 0)
            links = NULL;
    }
    if (!links || json_array_append_new(links, json_string_nocheck(link->path)) < 0)
        return err_errno(e, -ENOMEM, "could not hold hard link %s", link->path);
    return 0;
}

static int add_entry(void *data, const struct entry *entry, const struct entry_content *content, struct err *e) {
    const struct deb_layer *l = data;

    if (!takes(l, entry->path))
        return 0;
    if (entry->type == ENTRY_HARDLINK && !takes(l, entry->link))
        return note_orphan(l, entry, e);
    return layer_writer_add(l->w, entry, content, e);
}

/* The second reading: writes the dropped file under its first link's name, and links the others to that. */
static int add_adopted(void *data, const struct entry *entry, const struct entry_content *content, struct err *e) {
    const struct deb_layer *l = data;
    const json_t *links = json_object_get(l->orphans, entry->path);
    struct entry file = *entry;

    if (!links || entry->type != ENTRY_FILE)
        return 0;
    file.path = json_string_value(json_array_get(links, 0));
    int r = layer_writer_add(l->w, &file, content, e);
    struct entry link = {.type = ENTRY_HARDLINK,
                         .link = file.path,
                         .mode = entry->mode,
                         .uid = entry->uid,
                         .gid = entry->gid,
                         .mtime = entry->mtime};
    for (size_t i = 1; i < json_array_size(links) && !r; i++) {
        link.path = json_string_value(json_array_get(links, i));
        r = layer_writer_add(l->w, &link, NULL, e);
    }
    if (!r && json_object_del(l->orphans, entry->path) < 0)
        r = err_errno(e, -ENOMEM, "could not link %s", entry->path);
    return r;
}

static int adopt_orphans(struct deb_layer *l, struct err *e) {
    if (json_object_size(l->orphans) == 0)
        return 0;
    int r = deb_walk(l->deb, add_adopted, l, e);
    void *left = json_object_iter(l->orphans);
    if (!r && left)
        r = err_set(e, -EBADMSG, "could not read %s: it has hard links to %s, which is no file of it", l->deb->path,
                    json_object_iter_key(left));
    return r;
}

int layer_add_deb_record(struct layer_writer *w, const struct deb *deb, struct err *e) {
    AUTO_BUF struct buf control = BUF_INIT;
    AUTO_FREE char *path = NULL;

    int r = deb_control(deb, &control, e);
    if (r < 0)
        return r;
    if (asprintf(&path, "var/lib/dpkg/status.d/%s", deb->package) < 0) {
        path = NULL;
        return err_errno(e, -ENOMEM, "could not add %s", deb->package);
    }
    return layer_add_text(w, path, 0644, control.data, control.len, e);
}

static int fill_deb(struct layer_writer *w, void *data, struct err *e) {
    struct deb_layer *l = data;
    AUTO_JSON json_t *orphans = json_object();

    if (!orphans)
        return err_errno(e, -ENOMEM, "could not add %s", l->deb->package);
    l->w = w;
    l->orphans = orphans;
    int r = deb_walk(l->deb, add_entry, l, e);
    if (!r)
        r = adopt_orphans(l, e);
    return r < 0 ? r : layer_add_deb_record(w, l->deb, e);
}

static int add_debs(struct assembly *a, const struct deb *debs, size_t len, struct err *e) {
    int r = 0;

    for (size_t i = 0; i < len && !r; i++) {
        struct deb_layer l = {.recipe = a->recipe, .deb = &debs[i]};
        r = assembly_layer(a, &debs[i], fill_deb, &l, e);
    }
    return r;
}

int assemble_debian(struct assembly *a, struct err *e) {
    const json_t *packages = json_object_get(json_object_get(a->recipe->doc, "debian"), "packages");
    size_t len = json_array_size(packages);
    AUTO_JSON json_t *expanded = json_array();
    AUTO_FREE const char **names = calloc(len + 1, sizeof(*names));
    AUTO_FREE struct deb *debs = calloc(len + 1, sizeof(*debs));

    if (!expanded || !names || !debs)
        return err_errno(e, -ENOMEM, "could not fetch packages");
    if (len == 0)
        return 0;
    for (size_t i = 0; i < len; i++) {
        AUTO_FREE char *name = assembly_expand(a, json_string_value(json_array_get(packages, i)));
        if (!name || json_array_append_new(expanded, json_string(name)) < 0)
            return err_errno(e, -ENOMEM, "could not fetch packages");
        names[i] = json_string_value(json_array_get(expanded, i));
    }
    int r = debian_fetch(a->deb_dir, a->arch, names, len, debs, e);
    if (r < 0)
        return r;
    r = add_debs(a, debs, len, e);
    debs_free(debs, len);
    return r;
}
