/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime-config/strings.h"

#include <errno.h>

#include "lib/json.h"

int strings_load(const json_t *obj, const char *where, const char *key, struct strings *out, struct err *e) {
    json_t *list = NULL;
    int r = json_get_array(obj, where, key, false, &list, e);
    size_t len = json_array_size(list);

    if (r < 0 || len == 0)
        return r;
    if (len > RUNTIME_LIST_MAX)
        return err_set(e, -E2BIG, "%s.%s has more than %d entries", where, key, RUNTIME_LIST_MAX);
    out->v = calloc(len, sizeof(*out->v));
    if (!out->v)
        return err_errno(e, -ENOMEM, "could not read %s.%s", where, key);
    for (size_t i = 0; i < len; i++) {
        out->v[i] = json_string_value(json_array_get(list, i));
        if (!out->v[i])
            return err_set(e, -EINVAL, "%s.%s[%zu] is not a string", where, key, i);
    }
    out->len = len;
    return 0;
}
