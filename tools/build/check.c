/* SPDX-License-Identifier: Apache-2.0 */
/* What can be told of images, containers and files without their images, so that it is told together with all else. */
#include <errno.h>

#include "lib/json.h"
#include "tools/build/build_priv.h"
#include "tools/oci/oci.h"

/* The reader puts null where it refused a value. */
static bool has_null(const json_t *value) {
    json_t *inner = (json_t *)(uintptr_t)value, *item;
    const char *key;
    size_t i;

    json_object_foreach(inner, key, item) {
        if (has_null(item))
            return true;
    }
    json_array_foreach(inner, i, item) {
        if (has_null(item))
            return true;
    }
    return json_is_null(value);
}

/* The fields that nothing was said against yet. */
static json_t *accepted_fields(const json_t *fields) {
    json_t *inner = (json_t *)(uintptr_t)fields, *accepted = json_object(), *value;
    const char *key;

    json_object_foreach(inner, key, value) {
        if (!has_null(value) && json_object_set(accepted, key, value) < 0) {
            json_decref(accepted);
            return NULL;
        }
    }
    return accepted;
}

static int check_container(const struct config *c, const struct config_container *container, const char *arch,
                           struct problems *p, struct err *e) {
    AUTO_JSON json_t *fields = accepted_fields(container->fields);
    struct config_container copy = *container;
    AUTO_OCI_SPEC struct oci_spec spec = {0};

    if (!fields)
        return err_errno(e, -ENOMEM, "%s: could not check it", container->place);
    copy.fields = fields;
    int r = oci_spec_make(c, &copy, NULL, arch, p, &spec, e);
    return r == -ENOMEM ? r : 0;
}

static void check_image(const char *ref, const char *place, struct problems *p) {
    AUTO_FREE char *full = NULL;
    struct err why = {0};
    int r = ref && *ref && place ? image_ref_normalize(ref, &full, &why) : 0;

    if (r == -EINVAL) {
        (void)err_wrap(&why, r, "%s", place);
        problems_add(p, &why);
    }
}

static void check_images(const struct config *c, struct problems *p) {
    check_image(c->kernel.image, c->kernel.place, p);
    for (size_t i = 0; i < c->init_len; i++)
        check_image(c->init[i].image, c->init[i].place, p);
    for (size_t i = 0; i < c->volumes_len; i++)
        check_image(c->volumes[i].image, c->volumes[i].image_place, p);
    for (int s = 0; s < SECTION_COUNT; s++)
        for (size_t i = 0; i < c->containers_len[s]; i++)
            check_image(c->containers[s][i].image, c->containers[s][i].image_place, p);
}

int build_check(const struct config *c, const char *arch, struct problems *p, struct err *e) {
    int r = 0;

    check_images(c, p);
    for (int s = 0; s < SECTION_COUNT; s++)
        for (size_t i = 0; i < c->containers_len[s] && !r; i++)
            r = check_container(c, &c->containers[s][i], arch, p, e);
    return r ? r : check_files(c, p, e);
}
