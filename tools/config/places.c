/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "tools/config/yaml.h"

const char *yaml_place(const json_t *object, const char *key, size_t i) {
    char name[64];

    (void)snprintf(name, sizeof(name), "@%s", key);
    return json_string_value(json_array_get(json_object_get(object, name), i));
}

bool yaml_is_place(const char *key, const json_t *value) {
    return *key == '@' && json_is_array(value);
}
