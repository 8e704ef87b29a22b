/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bundles: containers/SECTION/NAME/{config.json,runtime.json,rootfs or lower+tmp+rootfs}. An image's root is a part of
 * its own, in the first bundle that uses it; the rest of a bundle is another part.
 */
#include <errno.h>
#include <string.h>

#include "lib/json.h"
#include "tools/build/plan.h"
#include "tools/oci/oci.h"

static int add_sub(const struct build *b, const struct part *p, const char *name, const char *text, struct err *e) {
    AUTO_FREE char *path = NULL;

    if (asprintf(&path, "%s/%s", p->path, name) < 0) {
        path = NULL;
        return err_errno(e, -ENOMEM, "could not add %s/%s", p->path, name);
    }
    return text ? add_bytes(b, &p->origin, path, 0644, text, strlen(text), e) : add_dir(b, &p->origin, path, e);
}

static int emit_bundle(const struct build *b, const struct plan *plan, struct part *p, struct err *e) {
    int r = p->own_root ? 0 : add_dirs(b, &p->origin, p->path, e);

    (void)plan;
    if (!r)
        r = add_sub(b, p, "config.json", p->config, e);
    if (!r && p->sub_tmp)
        r = add_sub(b, p, "tmp", NULL, e);
    if (!r && p->sub_rootfs)
        r = add_sub(b, p, "rootfs", NULL, e);
    return r ? r : add_sub(b, p, "runtime.json", p->runtime, e);
}

/* The image's root goes to the first bundle that uses it. */
static int plan_root(struct plan *p, struct image **img, const struct oci_spec *spec, const char *path,
                     const char *source, const char *location, struct err *e) {
    struct part *part = plan_add(p, emit_root, source, e, "%s", location);

    if (!part)
        return -ENOMEM;
    part->img = steal_ptr(img);
    if (asprintf(&part->path, "%s/%s", path, spec->readonly ? "rootfs" : "lower") < 0) {
        part->path = NULL;
        return err_errno(e, -ENOMEM, "could not add %s", path);
    }
    if (json_object_set_new(p->roots, source, json_string(part->path)) < 0)
        return err_errno(e, -ENOMEM, "could not add %s", part->path);
    return part_set_key(part, e, "root %s", part->path);
}

static int plan_bundle(struct plan *p, struct oci_spec *spec, const char *path, const char *source,
                       const char *location, bool own_root, struct err *e) {
    struct part *part = plan_add(p, emit_bundle, source, e, "%s", location);

    if (!part)
        return -ENOMEM;
    part->own_root = own_root;
    part->sub_tmp = !spec->readonly;
    part->sub_rootfs = !own_root || !spec->readonly;
    part->path = strdup(path);
    part->config = oci_dump(spec->config);
    int r = oci_add_root_mounts(spec, path, json_string_value(json_object_get(p->roots, source)), e);
    if (r < 0)
        return r;
    part->runtime = oci_dump(spec->runtime);
    return part->path && part->config && part->runtime ? 0 : err_errno(e, -ENOMEM, "could not add %s", path);
}

static int bundle_path(enum section s, size_t i, const struct config_container *c, char **path, struct err *e) {
    int n = s == SECTION_SERVICES ? asprintf(path, "containers/%s/%s", section_names[s], c->name)
                                  : asprintf(path, "containers/%s/%03zu-%s", section_names[s], i, c->name);

    if (n >= 0)
        return 0;
    *path = NULL;
    return err_errno(e, -ENOMEM, "could not add %s", c->name);
}

static int plan_container(const struct build *b, struct plan *p, enum section s, size_t i, struct err *e) {
    const struct config_container *c = &b->config->containers[s][i];
    AUTO_IMAGE struct image *img = NULL;
    AUTO_FREE char *path = NULL;
    struct oci_spec spec = {0};
    char location[32];
    int r = bundle_path(s, i, c, &path, e);

    (void)snprintf(location, sizeof(location), "%s[%zu]", section_names[s], i);
    if (!r)
        r = open_image(b, c->image, c->image_place, &img, e);
    if (r < 0)
        return r;
    AUTO_FREE char *source = image_name(c->image);
    if (!source)
        return err_errno(e, -ENOMEM, "could not add %s", path);
    bool own_root = !json_object_get(p->roots, source);
    r = oci_spec_make(b->config, c, image_config(img), b->arch, b->problems, &spec, e);
    const json_t *after = json_object_get(spec.runtime, "after");
    if (!r && after && s == SECTION_SERVICES && json_object_set(p->after, c->name, (json_t *)(uintptr_t)after) < 0)
        r = err_errno(e, -ENOMEM, "could not add %s", path);
    if (!r && own_root)
        r = plan_root(p, &img, &spec, path, source, location, e);
    if (!r)
        r = plan_bundle(p, &spec, path, source, location, own_root, e);
    oci_spec_free(&spec);
    return r;
}

int plan_containers(const struct build *b, struct plan *p, struct err *e) {
    int r = 0;

    for (int s = 0; s < SECTION_COUNT && !r; s++)
        for (size_t i = 0; i < b->config->containers_len[s] && !r; i++) {
            unsigned before = b->problems->count;
            r = plan_container(b, p, (enum section)s, i, e);
            if (r != -ENOMEM && b->problems->count > before)
                r = 0; /* the others are looked at, too; then plan_make() fails */
        }
    if (!r && config_check_order(b->config, p->after, b->problems) < 0)
        r = err_errno(e, -ENOMEM, "could not order the services");
    return r;
}
