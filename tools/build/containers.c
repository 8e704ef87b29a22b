/* SPDX-License-Identifier: Apache-2.0 */
/* Bundles: containers/SECTION/NAME/{config.json,runtime.json,rootfs or lower+tmp+rootfs}. */
#include <errno.h>
#include <string.h>

#include "lib/json.h"
#include "tools/build/build_priv.h"
#include "tools/oci/oci.h"

struct bundle {
    const struct build *build;
    struct origin origin;
    char path[512];
    struct oci_spec spec;
};

static int add_sub(const struct bundle *b, const char *name, const char *text, struct err *e) {
    char path[600];

    (void)snprintf(path, sizeof(path), "%s/%s", b->path, name);
    return text ? add_bytes(b->build, &b->origin, path, 0644, text, strlen(text), e)
                : add_dir(b->build, &b->origin, path, e);
}

static int add_document(const struct bundle *b, const char *name, const json_t *doc, struct err *e) {
    AUTO_FREE char *text = oci_dump(doc);

    return text ? add_sub(b, name, text, e) : err_errno(e, -ENOMEM, "could not make %s/%s", b->path, name);
}

/* The image's root goes to the first bundle that uses it; `roots` remembers where it is (image -> path). */
static int add_root(const struct bundle *b, const struct image *img, json_t *roots, bool *shared, struct err *e) {
    char root[600];

    *shared = json_object_get(roots, b->origin.source) != NULL;
    if (*shared)
        return add_dirs(b->build, &b->origin, b->path, e);
    (void)snprintf(root, sizeof(root), "%s/%s", b->path, b->spec.readonly ? "rootfs" : "lower");
    if (json_object_set_new(roots, b->origin.source, json_string(root)) < 0)
        return err_errno(e, -ENOMEM, "could not add %s", root);
    return add_image_root(b->build, img, root, &b->origin, NULL, NULL, NULL, e);
}

static int add_bundle(struct bundle *b, const struct image *img, json_t *roots, struct err *e) {
    bool shared;
    int r = add_root(b, img, roots, &shared, e);

    if (!r)
        r = add_document(b, "config.json", b->spec.config, e);
    if (!r && !b->spec.readonly)
        r = add_sub(b, "tmp", NULL, e);
    if (!r && (shared || !b->spec.readonly))
        r = add_sub(b, "rootfs", NULL, e);
    if (!r)
        r = oci_add_root_mounts(&b->spec, b->path, json_string_value(json_object_get(roots, b->origin.source)), e);
    return r ? r : add_document(b, "runtime.json", b->spec.runtime, e);
}

static int add_container(const struct build *b, enum section s, size_t i, json_t *roots, struct err *e) {
    const struct config_container *c = &b->config->containers[s][i];
    AUTO_IMAGE struct image *img = NULL;
    struct bundle bundle = {.build = b};
    char location[32];

    int n = s == SECTION_SERVICES
                ? snprintf(bundle.path, sizeof(bundle.path), "containers/%s/%s", section_names[s], c->name)
                : snprintf(bundle.path, sizeof(bundle.path), "containers/%s/%03zu-%s", section_names[s], i, c->name);
    if (n < 0 || (size_t)n >= sizeof(bundle.path))
        return err_set(e, -ENAMETOOLONG, "%s: the name is too long", c->place);
    (void)snprintf(location, sizeof(location), "%s[%zu]", section_names[s], i);
    int r = open_image(b, c->image, &img, e);
    if (r < 0)
        return err_wrap(e, r, "%s", c->place);
    AUTO_FREE char *source = image_name(c->image);
    if (!source)
        return err_errno(e, -ENOMEM, "could not add %s", bundle.path);
    bundle.origin = (struct origin){.source = source, .location = location};
    r = oci_spec_make(b->config, c, image_config(img), &bundle.spec, e);
    if (!r)
        r = add_bundle(&bundle, img, roots, e);
    oci_spec_free(&bundle.spec);
    return r;
}

int add_containers(const struct build *b, struct err *e) {
    AUTO_JSON json_t *roots = json_object();
    int r = roots ? 0 : err_errno(e, -ENOMEM, "could not add the containers");

    for (int s = 0; s < SECTION_COUNT && !r; s++)
        for (size_t i = 0; i < b->config->containers_len[s] && !r; i++)
            r = add_container(b, (enum section)s, i, roots, e);
    return r;
}
