/* SPDX-License-Identifier: Apache-2.0 */
/* Volumes: containers/volumes/NAME/{lower,tmp,merged}; a read-only one has no tmp. */
#include <errno.h>
#include <string.h>

#include "tools/build/plan.h"

struct volume {
    const struct build *build;
    struct origin origin;
    char path[512];
};

static int add_sub(const struct volume *v, const char *name, struct err *e) {
    static const char source[] = "linuxkit.volumes";
    const struct origin origin = {.source = source, .location = v->origin.location};
    char path[600];

    (void)snprintf(path, sizeof(path), "%s/%s", v->path, name);
    return add_dir(v->build, &origin, path, e);
}

static int add_layout_entry(void *data, const struct entry *original, const struct entry_content *content,
                            struct err *e) {
    const struct volume *v = data;
    struct entry entry = *original;
    char path[1024];

    (void)snprintf(path, sizeof(path), "%s/lower/%s", v->path, original->path);
    entry.path = path;
    entry.mtime = DEFAULT_MTIME;
    entry.layer = "the image itself, as an OCI layout";
    return output_add(v->build->output, &entry, content, &v->origin, e);
}

static int add_layout(struct volume *v, const struct config_volume *c, const char *lower, struct err *e) {
    struct blob_desc root;
    int r = add_dirs(v->build, &v->origin, lower, e);

    if (!r)
        r = build_image_root(v->build, c->image, &root, e);
    if (!r)
        r = sbom_begin_image(v->build->sbom, v->origin.source, lower, NULL, e);
    if (r < 0)
        return r;
    r = image_walk_layout(v->build->cache_dir, c->image, &root, c->platforms, add_layout_entry, v, e);
    return r == -ENOENT ? image_missing(v->build, c->image, c->image_place, e) : r;
}

/* All but the root of an image: the folders, and what is below lower/ unless that is an image's root. */
static int emit_volume(const struct build *b, const struct plan *plan, struct part *p, struct err *e) {
    const struct config_volume *c = &b->config->volumes[p->index];
    struct volume v = {.build = b, .origin = p->origin};
    char lower[600];
    int r = 0;

    (void)plan;
    (void)snprintf(v.path, sizeof(v.path), "%s", p->path);
    (void)snprintf(lower, sizeof(lower), "%s/lower", v.path);
    if (!c->image)
        r = add_dirs(b, &v.origin, lower, e);
    else if (c->layout)
        r = add_layout(&v, c, lower, e);
    if (!r && !c->readonly)
        r = add_sub(&v, "tmp", e);
    return r ? r : add_sub(&v, "merged", e);
}

static int plan_lower(const struct build *b, struct plan *p, size_t i, const char *source, struct err *e) {
    const struct config_volume *c = &b->config->volumes[i];
    struct part *part = plan_add(p, emit_root, source, e, "volumes[%zu]", i);
    int r = part ? open_image(b, c->image, c->image_place, &part->img, e) : -ENOMEM;

    if (r < 0)
        return r;
    part->resolv_link = RESOLV_LINK;
    if (asprintf(&part->path, "containers/volumes/%s/lower", c->name) < 0) {
        part->path = NULL;
        return err_errno(e, -ENOMEM, "could not add volume %s", c->name);
    }
    return part_set_key(part, e, "root %s %s", part->path, part->resolv_link);
}

static int plan_volume(const struct build *b, struct plan *p, size_t i, struct err *e) {
    const struct config_volume *c = &b->config->volumes[i];
    AUTO_FREE char *source = c->image ? image_name(c->image) : strdup("empty");
    int r = source ? 0 : err_errno(e, -ENOMEM, "could not add volume %s", c->name);

    if (!r && c->image && !c->layout)
        r = plan_lower(b, p, i, source, e);
    if (r < 0)
        return r;
    struct part *part = plan_add(p, emit_volume, source, e, "volumes[%zu]", i);
    if (!part)
        return -ENOMEM;
    part->index = i;
    if (asprintf(&part->path, "containers/volumes/%s", c->name) < 0) {
        part->path = NULL;
        return err_errno(e, -ENOMEM, "could not add volume %s", c->name);
    }
    return 0;
}

int plan_volumes(const struct build *b, struct plan *p, struct err *e) {
    int r = 0;

    for (size_t i = 0; i < b->config->volumes_len && !r; i++)
        r = plan_volume(b, p, i, e);
    return r;
}
