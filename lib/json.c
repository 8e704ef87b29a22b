/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/json.h"

#include <errno.h>
#include <string.h>

#include "lib/buf.h"
#include "lib/fdutil.h"

#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */

/* *value is NULL when the key is absent or null and not required. */
static int lookup(const json_t *obj, const char *where, const char *key, bool required, json_t **value, struct err *e) {
    *value = json_object_get(obj, key);
    if (json_is_null(*value))
        *value = NULL;
    if (!*value && required)
        return err_set(e, -EINVAL, "%s.%s is missing", where, key);
    return 0;
}

static int wrong_type(const char *where, const char *key, const char *want, struct err *e) {
    return err_set(e, -EINVAL, "%s.%s is not %s", where, key, want);
}

int json_get_string(const json_t *obj, const char *where, const char *key, bool required, const char **out,
                    struct err *e) {
    json_t *value;
    int r = lookup(obj, where, key, required, &value, e);
    if (r < 0 || !value)
        return r;
    if (!json_is_string(value))
        return wrong_type(where, key, "a string", e);
    *out = json_string_value(value);
    return 0;
}

int json_get_bool(const json_t *obj, const char *where, const char *key, bool required, bool *out, struct err *e) {
    json_t *value;
    int r = lookup(obj, where, key, required, &value, e);
    if (r < 0 || !value)
        return r;
    if (!json_is_boolean(value))
        return wrong_type(where, key, "true or false", e);
    *out = json_is_true(value);
    return 0;
}

int json_get_int(const json_t *obj, const char *where, const char *key, bool required, int64_t *out, struct err *e) {
    json_t *value;
    int r = lookup(obj, where, key, required, &value, e);
    if (r < 0 || !value)
        return r;
    if (!json_is_integer(value))
        return wrong_type(where, key, "an integer", e);
    *out = json_integer_value(value);
    return 0;
}

int json_get_array(const json_t *obj, const char *where, const char *key, bool required, json_t **out, struct err *e) {
    json_t *value;
    int r = lookup(obj, where, key, required, &value, e);
    if (r < 0 || !value)
        return r;
    if (!json_is_array(value))
        return wrong_type(where, key, "an array", e);
    *out = value;
    return 0;
}

int json_get_object(const json_t *obj, const char *where, const char *key, bool required, json_t **out, struct err *e) {
    json_t *value;
    int r = lookup(obj, where, key, required, &value, e);
    if (r < 0 || !value)
        return r;
    if (!json_is_object(value))
        return wrong_type(where, key, "an object", e);
    *out = value;
    return 0;
}

int json_parse(const char *path, const struct buf *text, size_t flags, json_t **out, struct err *e) {
    json_error_t why;

    *out = json_loadb(text->data ? text->data : "", text->len, JSON_REJECT_DUPLICATES | flags, &why);
    if (!*out)
        return err_set(e, -EINVAL, "could not parse %s: line %d, column %d: %s", path, why.line, why.column, why.text);
    return 0;
}

int json_load_path(const char *path, size_t max, json_t **out, struct err *e) {
    AUTO_BUF struct buf text = BUF_INIT;
    int r = read_file(path, max, &text, e);

    return r ? r : json_parse(path, &text, 0, out, e);
}

/* Bytes of the character at s, or 0: it is none. U+FFFD stands for what is none, and so counts as none itself. */
static size_t character_len(const char *s) {
    unsigned char lead = (unsigned char)*s;
    size_t len = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    AUTO_JSON json_t *one = strnlen(s, len) == len ? json_stringn(s, len) : NULL;

    return one && strncmp(s, REPLACEMENT, len) != 0 ? len : 0;
}

json_t *json_text(const char *s) {
    json_t *value = strstr(s, REPLACEMENT) ? NULL : json_string(s);
    AUTO_BUF struct buf out = BUF_INIT;
    int r = 0;

    while (!value && !r && *s) {
        size_t len = character_len(s);
        r = len ? buf_append(&out, s, len) : buf_printf(&out, REPLACEMENT "%02X", (unsigned)(unsigned char)*s);
        s += len ? len : 1;
    }
    return value || r ? value : json_string(out.data ? out.data : "");
}
