/* SPDX-License-Identifier: Apache-2.0 */
/* All images of a configuration into the cache, so that a build that cannot be does not begin. */
#include <errno.h>
#include <string.h>

#include "lib/json.h"
#include "tools/build/build_priv.h"

struct bring {
    const struct image_ensure *how;
    struct problems *problems;
    json_t *done;  /* what was asked for, right or wrong */
    json_t *roots; /* what it was */
    bool hopeless;
};

/* Nothing that comes later would do better. */
static bool is_hopeless(int code) {
    return code != -ENOENT && code != -EINVAL && code != -EKEYREJECTED && code != -ENODATA && code != -EACCES;
}

/* For other platforms, a name must mean the same image as for the first. */
static int note_root(const struct bring *b, const char *ref, const struct blob_desc *root, struct err *e) {
    const json_t *first = json_object_get(b->roots, ref);
    const char *digest = json_string_value(json_object_get(first, "digest"));

    if (digest)
        return strcmp(digest, root->digest)
                   ? err_set(e, -ESTALE, "image %s is another one now than a moment ago: build again", ref)
                   : 0;
    json_t *desc = json_pack("{s:s, s:s, s:I}", "mediaType", root->media_type, "digest", root->digest, "size",
                             (json_int_t)root->size);
    return json_object_set_new(b->roots, ref, desc) < 0 ? err_errno(e, -ENOMEM, "could not look for image %s", ref) : 0;
}

int build_image_root(const struct build *b, const char *ref, struct blob_desc *root, struct err *e) {
    return blob_desc_parse(json_object_get(b->roots, ref), ref, root, e);
}

/* arch: NULL for all platforms. The first of several equal wishes is the one whose place is told. */
static void bring(struct bring *b, const char *ref, const char *arch, const char *place) {
    struct image_ensure how = *b->how;
    AUTO_JSON json_t *wish = json_sprintf("%s %s", arch ? arch : "*", ref);
    struct blob_desc root;
    struct err why = {0};

    if (b->hopeless || json_object_get(b->done, json_string_value(wish)))
        return;
    how.arch = arch;
    int r = wish && json_object_set_new(b->done, json_string_value(wish), json_true()) == 0
                ? image_ensure(&how, ref, &root, &why)
                : err_errno(&why, -ENOMEM, "could not look for image %s", ref);
    if (!r)
        r = note_root(b, ref, &root, &why);
    if (r == 0)
        return;
    (void)err_wrap(&why, r, "%s", place);
    problems_add(b->problems, &why);
    b->hopeless = is_hopeless(r);
}

/* A volume of format "oci" takes the platforms that it names, all others are files of the appliance's own. */
static void bring_volume(struct bring *b, const struct config_volume *v) {
    const json_t *platform;
    size_t i;

    if (!v->image)
        return;
    if (!v->layout || !json_array_size(v->platforms)) {
        bring(b, v->image, v->layout ? NULL : b->how->arch, v->image_place);
        return;
    }
    json_array_foreach(v->platforms, i, platform) {
        const char *text = json_string_value(platform), *slash = text ? strchr(text, '/') : NULL;
        if (slash)
            bring(b, v->image, slash + 1, v->image_place);
    }
}

int build_bring_images(const struct config *config, const struct image_ensure *how, json_t *roots,
                       struct problems *problems, struct err *e) {
    AUTO_JSON json_t *done = json_object();
    struct bring b = {.how = how, .problems = problems, .done = done, .roots = roots};

    if (!done)
        return err_errno(e, -ENOMEM, "could not look for the images");
    if (config->kernel.image && *config->kernel.image)
        bring(&b, config->kernel.image, how->arch, config->kernel.place);
    for (size_t i = 0; i < config->init_len; i++)
        bring(&b, config->init[i].image, how->arch, config->init[i].place);
    for (size_t i = 0; i < config->volumes_len; i++)
        bring_volume(&b, &config->volumes[i]);
    for (int s = 0; s < SECTION_COUNT; s++)
        for (size_t i = 0; i < config->containers_len[s]; i++)
            bring(&b, config->containers[s][i].image, how->arch, config->containers[s][i].image_place);
    return problems_result(problems, e);
}
