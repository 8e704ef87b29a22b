/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a profile may look like. Whatever stood somewhere else, or as something else, would be passed over, and the
 * profile would allow what it was written to refuse.
 */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "lib/fdutil.h"
#include "tools/oci/oci_priv.h"
#include "tools/oci/seccomp.h"

#define PROFILE_MAX ((size_t)1 << 20)
#define PATH_SHOWN 200 /* bytes of a JSON path in a message */

enum shape { STRING, STRINGS, NUMBER, UNSIGNED64, OBJECT, OBJECTS, ANYTHING };

struct member {
    const char *key;
    enum shape shape;
    const struct member *members; /* OBJECT, OBJECTS; ends with a NULL key */
};

static const struct member condition[] = {
    {"caps", STRINGS, NULL}, {"arches", STRINGS, NULL}, {"minKernel", STRING, NULL}, {NULL, ANYTHING, NULL}};
static const struct member argument[] = {{"index", NUMBER, NULL},
                                         {"value", UNSIGNED64, NULL},
                                         {"valueTwo", UNSIGNED64, NULL},
                                         {"op", STRING, NULL},
                                         {NULL, ANYTHING, NULL}};
/* "errno" and "defaultErrno" are Podman's, who writes errnoRet and defaultErrnoRet beside them. */
static const struct member rule[] = {{"name", STRING, NULL},          {"names", STRINGS, NULL},
                                     {"action", STRING, NULL},        {"errnoRet", NUMBER, NULL},
                                     {"errno", ANYTHING, NULL},       {"args", OBJECTS, argument},
                                     {"comment", ANYTHING, NULL},     {"includes", OBJECT, condition},
                                     {"excludes", OBJECT, condition}, {NULL, ANYTHING, NULL}};
static const struct member family[] = {
    {"architecture", STRING, NULL}, {"subArchitectures", STRINGS, NULL}, {NULL, ANYTHING, NULL}};
static const struct member profile_members[] = {{"defaultAction", STRING, NULL},
                                                {"defaultErrnoRet", NUMBER, NULL},
                                                {"defaultErrno", ANYTHING, NULL},
                                                {"architectures", STRINGS, NULL},
                                                {"archMap", OBJECTS, family},
                                                {"flags", STRINGS, NULL},
                                                {"listenerPath", STRING, NULL},
                                                {"listenerMetadata", STRING, NULL},
                                                {"syscalls", OBJECTS, rule},
                                                {"comment", ANYTHING, NULL},
                                                {NULL, ANYTHING, NULL}};
static const struct member whole = {"$", OBJECT, profile_members};

static bool is_number(const json_t *value, json_int_t max) {
    return json_is_integer(value) && json_integer_value(value) >= 0 && json_integer_value(value) <= max;
}

static int refuse(const char *name, const char *path, const char *want, struct err *e) {
    return err_set(e, -EINVAL, "the seccomp profile %s has something else than %s at %s", name, want, path);
}

static int check(const char *name, const json_t *value, const struct member *m, const char *path, struct err *e);

static int check_members(const char *name, json_t *object, const struct member *members, const char *path,
                         struct err *e) {
    char inner[PATH_SHOWN];
    const char *key;
    json_t *value;

    json_object_foreach(object, key, value) {
        const struct member *m = members;
        while (m->key && strcmp(m->key, key) != 0)
            m++;
        if (!m->key)
            return err_set(e, -EINVAL, "the seccomp profile %s has the key \"%.100s\" at %s, which means nothing there",
                           name, key, path);
        (void)snprintf(inner, sizeof(inner), "%s.%s", path, key);
        int r = check(name, value, m, inner, e);
        if (r < 0)
            return r;
    }
    return 0;
}

static int check_items(const char *name, json_t *list, const struct member *m, const char *path, struct err *e) {
    char inner[PATH_SHOWN];
    json_t *item;
    size_t i;

    json_array_foreach(list, i, item) {
        const struct member one = {m->key, m->shape == STRINGS ? STRING : OBJECT, m->members};
        (void)snprintf(inner, sizeof(inner), "%s[%zu]", path, i);
        int r = json_is_null(item) ? refuse(name, inner, one.shape == STRING ? "a string" : "an object", e)
                                   : check(name, item, &one, inner, e);
        if (r < 0)
            return r;
    }
    return 0;
}

/* null is as good as nothing, as in what else reads these profiles. */
static int check(const char *name, const json_t *value, const struct member *m, const char *path, struct err *e) {
    json_t *inner = (json_t *)(uintptr_t)value; /* jansson's iteration changes nothing */

    if (json_is_null(value))
        return 0;
    switch (m->shape) {
    case STRING:
        return json_is_string(value) ? 0 : refuse(name, path, "a string", e);
    case NUMBER:
        return is_number(value, UINT16_MAX) ? 0 : refuse(name, path, "a number from 0 to 65535", e);
    case UNSIGNED64:
        return json_is_integer(value) ? 0 : refuse(name, path, "a number from 0 to 18446744073709551615", e);
    case OBJECT:
        return json_is_object(value) ? check_members(name, inner, m->members, path, e)
                                     : refuse(name, path, "an object", e);
    case STRINGS:
    case OBJECTS:
        return json_is_array(value) ? check_items(name, inner, m, path, e) : refuse(name, path, "a list", e);
    case ANYTHING:
        break;
    }
    return 0;
}

int seccomp_check(const json_t *profile, const char *name, struct err *e) {
    return check(name, profile, &whole, whole.key, e);
}

/*
 * One number: what jansson has no integer for becomes the negative one of the same 64 bits, and what is negative, or
 * larger than that, a fraction, which no member of a profile may be.
 */
static int put_number(struct buf *out, const char *number, size_t len) {
    char digits[24];
    uint64_t value;

    if (memchr(number, '.', len) || memchr(number, 'e', len) || memchr(number, 'E', len))
        return buf_append(out, number, len);
    (void)snprintf(digits, sizeof(digits), "%.*s", (int)(len < sizeof(digits) ? len : sizeof(digits)), number);
    if (*number != '-' && parse_u64(digits, UINT64_MAX, &value) == 0)
        return buf_printf(out, "%" PRId64, (int64_t)value);
    int r = buf_append(out, number, len);
    return r ? r : buf_puts(out, ".0");
}

/* The length of the token at s: a string, a number, or a character of anything else. */
static size_t token_len(const char *s, const char *end) {
    const char *p = s;

    if (*s == '"') {
        for (p++; p < end && *p != '"'; p++)
            p += *p == '\\' && p + 1 < end;
        return (size_t)(p - s) + (p < end);
    }
    while (p < end && (isdigit((unsigned char)*p) || strchr("+-.eE", *p)))
        p++;
    return *s == '-' || isdigit((unsigned char)*s) ? (size_t)(p - s) : 1;
}

static int put_numbers(struct buf *out, const struct buf *text) {
    const char *end = text->data + text->len;
    int r = 0;

    for (const char *s = text->data; s < end && !r;) {
        size_t len = token_len(s, end);
        r = *s == '-' || isdigit((unsigned char)*s) ? put_number(out, s, len) : buf_append(out, s, len);
        s += len;
    }
    return r;
}

int seccomp_read_file(const char *path, json_t **out, struct err *e) {
    AUTO_BUF struct buf text = BUF_INIT, numbers = BUF_INIT;
    AUTO_JSON json_t *syntax = NULL;

    int r = read_file(path, PROFILE_MAX, &text, e);
    if (!r)
        r = json_parse(path, &text, JSON_DECODE_INT_AS_REAL, &syntax, e); /* whose errors have their true places */
    if (!r && put_numbers(&numbers, &text) < 0)
        r = err_errno(e, -ENOMEM, "could not read %s", path);
    return r ? r : json_parse(path, &numbers, 0, out, e);
}
