/* SPDX-License-Identifier: Apache-2.0 */
/* Images that keelson made say what each of their layers is of: a Debian package, or the recipe's own files. */
#include <errno.h>
#include <string.h>

#include "lib/json.h"
#include "tools/sbom/sbom_priv.h"

int layers_read(struct sbom_image *image, const struct image *img) {
    const json_t *labels = json_object_get(json_object_get(image_config(img), "config"), "Labels");
    const char *text = json_string_value(json_object_get(labels, LABEL_LAYERS));
    AUTO_JSON json_t *list = text ? json_loads(text, 0, NULL) : NULL;
    json_t *name;
    size_t i;

    if (!json_is_array(list))
        return 0;
    image->made_of = json_object();
    json_array_foreach(list, i, name) {
        const char *digest = image_layer(img, i);
        if (!digest)
            break;
        if (json_is_string(name) && json_object_set(image->made_of, digest, name) < 0)
            return -ENOMEM;
    }
    return image->made_of ? 0 : -ENOMEM;
}

/* NAME=VERSION -> NAME, malloc'd; *version: NULL for the recipe's own files. */
static char *split_name(const char *text, const char **version) {
    size_t len = strcspn(text, "=");

    *version = text[len] ? text + len + 1 : NULL;
    return strndup(text, len);
}

/* Nobody gives the recipe's own files a version: they are what the image's digest says. */
int layers_add_packages(struct sbom_image *image, struct err *e) {
    const char *digest;
    json_t *name;
    int r = 0;

    json_object_foreach(image->made_of, digest, name) {
        const char *version;
        AUTO_FREE char *package = split_name(json_string_value(name), &version);
        if (!package)
            return err_errno(e, -ENOMEM, "could not list the layers of image %s", image->name);
        if (r || packages_find(&image->packages, package) != PACKAGE_UNKNOWN)
            continue;
        r = packages_add(&image->packages, package, version ? version : image->digest, version ? "deb" : NULL, e);
        packages_end(&image->packages);
    }
    return r;
}

size_t layer_owner(const struct sbom_image *image, size_t layer) {
    const char *version, *text = json_string_value(json_object_get(image->made_of, image->layers[layer]));
    AUTO_FREE char *package = text ? split_name(text, &version) : NULL;

    return package ? packages_find(&image->packages, package) : PACKAGE_UNKNOWN;
}
