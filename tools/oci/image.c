/* SPDX-License-Identifier: Apache-2.0 */
/* What an image says of itself: whoever made it may have written anything, and runc would find out only at boot. */
#include <errno.h>
#include <string.h>

#include "tools/config/yaml.h"
#include "tools/oci/oci_priv.h"

enum kind { STRING, STRINGS, MAP };

static bool is_kind(const json_t *value, enum kind kind) {
    const json_t *item;
    size_t i;

    if (!value || json_is_null(value))
        return true;
    if (kind != STRINGS)
        return kind == STRING ? json_is_string(value) : json_is_object(value);
    json_array_foreach(value, i, item) {
        if (!json_is_string(item))
            return false;
    }
    return json_is_array(value);
}

static int refuse(const struct sources *s, const char *key, enum kind kind, struct err *e) {
    static const char *const words[] = {[STRING] = "string", [STRINGS] = "list of strings", [MAP] = "map"};

    return err_set(e, -EINVAL, "could not use image %s: \"%s\" of its configuration is no %s; make the image anew",
                   s->container->image, key, words[kind]);
}

int check_image(const struct sources *s, const json_t *document, struct err *e) {
    static const struct {
        const char *key;
        enum kind kind;
    } fields[] = {{"Entrypoint", STRINGS}, {"Cmd", STRINGS}, {"Env", STRINGS}, {"WorkingDir", STRING}, {"Labels", MAP}};

    if (!is_kind(json_object_get(document, "config"), MAP))
        return refuse(s, "config", MAP, e);
    for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
        if (!is_kind(json_object_get(s->image, fields[i].key), fields[i].kind))
            return refuse(s, fields[i].key, fields[i].kind, e);
    if (!is_kind(json_object_get(json_object_get(s->image, "Labels"), CONFIG_LABEL), STRING))
        return refuse(s, "Labels[" CONFIG_LABEL "]", STRING, e);
    return 0;
}

int read_label(const struct sources *s, json_t **out, struct err *e) {
    const char *text = json_string_value(json_object_get(json_object_get(s->image, "Labels"), CONFIG_LABEL));
    char where[256];

    if (!text || !*text)
        return 0;
    (void)snprintf(where, sizeof(where), "label " CONFIG_LABEL " of %s", s->container->image);
    return yaml_read(where, text, strlen(text), &schema_label, false, NULL, out, e);
}
