/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/fuzz.h"

#include <string.h>

#include "runtime-config/toml.h"

/* Every value has a type, and every key that C can name a position. */
static void look_at(const struct toml *t, const json_t *value) {
    enum toml_type type = toml_type(t, value);
    const char *key;
    json_t *child;
    size_t len;

    FUZZ_CHECK(toml_type_name(type));
    if (type == TOML_ARRAY)
        for (size_t i = 0; i < json_array_size(value); i++)
            look_at(t, json_array_get(value, i));
    if (type == TOML_TABLE)
        json_object_keylen_foreach((json_t *)(uintptr_t)value, key, len, child) {
            FUZZ_CHECK(strlen(key) != len || toml_position(t, value, key).line > 0);
            look_at(t, child);
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct err e = {0}, e_again = {0};
    struct toml t, again;
    int r = toml_parse(&t, "x", (const char *)data, size, &e);

    FUZZ_CHECK(toml_parse(&again, "x", (const char *)data, size, &e_again) == r);
    FUZZ_CHECK(!strcmp(e.msg, e_again.msg));
    if (r < 0) {
        FUZZ_CHECK(r == -EINVAL && !t.root && !again.root);
        FUZZ_CHECK(!strncmp(e.msg, "x:", 2) && e.msg[2] >= '1' && e.msg[2] <= '9');
        return 0;
    }
    AUTO_FREE char *json = json_dumps(t.root, 0); /* json_equal() does not know of NUL in keys */
    AUTO_FREE char *json_again = json_dumps(again.root, 0);
    FUZZ_CHECK(json && json_again && !strcmp(json, json_again));
    look_at(&t, t.root);
    toml_free(&t);
    toml_free(&again);
    return 0;
}
