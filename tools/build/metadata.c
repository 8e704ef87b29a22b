/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>

#include "lib/json.h"
#include "tools/build/build_priv.h"
#include "tools/config/yaml.h"

static int set_name(json_t *object, const char *ref) {
    AUTO_FREE char *name = ref && *ref ? image_name(ref) : strdup("");

    return name ? json_object_set_new(object, "image", json_string(name)) : -1;
}

static int name_images(json_t *doc) {
    json_t *kernel = json_object_get(doc, "kernel"), *init = json_object_get(doc, "init"), *entry;
    size_t i;
    int r = kernel ? set_name(kernel, json_string_value(json_object_get(kernel, "image"))) : 0;

    json_array_foreach(init, i, entry) {
        AUTO_FREE char *name = image_name(json_string_value(entry));
        if (!name || json_array_set_new(init, i, json_string(name)) < 0)
            r = -1;
    }
    for (int s = 0; s < SECTION_COUNT; s++)
        json_array_foreach(json_object_get(doc, section_names[s]), i, entry) {
            if (set_name(entry, json_string_value(json_object_get(entry, "image"))) < 0)
                r = -1;
        }
    return r;
}

int make_metadata(const struct config *c, const char *kind, char **out, struct err *e) {
    AUTO_JSON json_t *doc = config_copy_plain(c->doc);

    if (doc)
        (void)json_object_del(doc, "trust");
    if (doc && name_images(doc) == 0 && !strcmp(kind, "yaml")) {
        struct buf text = BUF_INIT;
        int r = yaml_write(doc, &text, e);
        *out = text.data; /* buf_free() would free just this */
        return r;
    }
    *out = doc && name_images(doc) == 0 ? json_dumps(doc, JSON_INDENT(4)) : NULL;
    return *out ? 0 : err_errno(e, -ENOMEM, "could not make the metadata");
}
