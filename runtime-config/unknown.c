/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime-config/unknown.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "lib/log.h"

static bool is_known(const char *key, const char *const *known) {
    for (; *known; known++)
        if (!strcmp(*known, key))
            return true;
    return false;
}

void unknown_keys_warn(const char *file, const char *where, const json_t *obj, const char *const *known) {
    const char *key;
    json_t *value;
    size_t unknown = 0;

    if (!file)
        return;
    json_object_foreach((json_t *)(uintptr_t)obj, key, value) {
        if (!is_known(key, known) && unknown++ < UNKNOWN_SHOWN)
            log_warning("%s: unknown key \"%.100s\" in %s is ignored", file, key, where);
    }
    if (unknown > UNKNOWN_SHOWN)
        log_warning("%s: %zu more unknown keys in %s are ignored", file, unknown - UNKNOWN_SHOWN, where);
}
