/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tools/config/config_priv.h"

#define NAME_MAX_LEN 200

/* LinuxKit's rule; the name is a directory's, so it cannot be empty. */
static bool valid_name(const char *name) {
    return *name && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-") == strlen(name) &&
           strlen(name) <= NAME_MAX_LEN;
}

static void check_platforms(const struct config_volume *v, struct problems *p) {
    const json_t *platform;
    size_t i;

    if (json_array_size(v->platforms) && !v->layout)
        problem(p, v->place, "\"platforms\" needs \"format: oci\"; files can be of one platform only");
    json_array_foreach(v->platforms, i, platform) {
        const char *text = json_string_value(platform), *c = text;
        unsigned slashes = 0;
        for (; text && *c; c++)
            slashes += *c == '/';
        if (text && (slashes < 1 || slashes > 2 || *text == '/' || c[-1] == '/' || strstr(text, "//")))
            problem(p, v->place, "\"%s\" is not a platform; write it like linux/arm64 or linux/arm/v7", text);
    }
}

static void check_volume(const struct config *c, const struct config_volume *v, const json_t *entry,
                         struct problems *p) {
    if (!json_is_object(entry) || json_is_null(json_object_get(entry, "name")))
        return; /* refused already */
    if (!v->name || !valid_name(v->name)) {
        problem(p, v->place, "\"%.200s\" cannot be the name of a volume; use at most %d small letters, digits, - and _",
                v->name ? v->name : "", NAME_MAX_LEN);
        return;
    }
    const struct config_volume *first = config_volume(c, v->name);
    if (first)
        problem(p, v->place, "there is another volume named \"%s\" at %s; rename one", v->name, first->place);
    if (v->layout && !v->image)
        problem(p, v->place, "the volume \"%s\" has \"format: oci\" but no \"image\"; add it", v->name);
    check_platforms(v, p);
}

int take_volumes(struct config *c, struct problems *p) {
    const json_t *list = json_object_get(c->doc, "volumes"), *entry;
    size_t i;

    c->volumes = calloc(json_array_size(list) + 1, sizeof(*c->volumes));
    if (!c->volumes)
        return -ENOMEM;
    json_array_foreach(list, i, entry) {
        const char *format = string_of(entry, "format"), *image = string_of(entry, "image");
        const struct config_volume v = {
            .name = string_of(entry, "name"),
            .image = image && *image ? image : NULL,
            .place = yaml_place(entry, "", 0),
            .image_place = yaml_place(entry, "image", 0),
            .readonly = json_is_true(json_object_get(entry, "readonly")),
            .layout = format && !strcmp(format, "oci"),
            .platforms = json_object_get(entry, "platforms"),
        };
        check_volume(c, &v, entry, p);
        c->volumes[c->volumes_len++] = v;
    }
    return 0;
}

const struct config_volume *config_volume(const struct config *c, const char *name) {
    for (size_t i = 0; i < c->volumes_len; i++)
        if (c->volumes[i].name && !strcmp(c->volumes[i].name, name))
            return &c->volumes[i];
    return NULL;
}
