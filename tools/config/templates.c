/* SPDX-License-Identifier: Apache-2.0 */
/* `@pkg:FOLDER`, anywhere where a string may be: the package's image, with the tag that its contents have now. */
#include <errno.h>
#include <string.h>

#include "lib/fdutil.h"
#include "tools/config/config_priv.h"

#define TEMPLATE "@pkg:"

struct templates {
    const char *file;
    const struct config_resolver *resolver;
    struct problems *problems;
};

/* A relative folder is relative to the file's; a file that is not on disk has the current one. */
static char *folder_of(const struct templates *t, const char *word) {
    const char *slash = strrchr(t->file, '/');

    if (*word == '/' || !slash || source_is_url(t->file))
        return strdup(word);
    AUTO_FREE char *base = strndup(t->file, (size_t)(slash + 1 - t->file));
    return base ? path_join(base, word) : NULL;
}

/* The string's value in *out, NULL if it is no template or was refused; -ENOMEM. */
static int resolve(const struct templates *t, const json_t *value, const char *place, json_t **out) {
    const char *text = json_string_value(value);
    AUTO_FREE char *ref = NULL;
    struct err e = {0};

    *out = NULL;
    if (!text || strncmp(text, TEMPLATE, strlen(TEMPLATE)) != 0)
        return 0;
    AUTO_FREE char *dir = folder_of(t, text + strlen(TEMPLATE));
    if (!dir)
        return -ENOMEM;
    if (t->resolver->package(t->resolver->data, dir, &ref, &e) < 0) {
        problem(t->problems, place ? place : t->file, "could not resolve %s: %s", text, e.msg);
        return 0;
    }
    *out = json_string(ref);
    return *out ? 0 : -ENOMEM;
}

static int walk(const struct templates *t, json_t *value, const json_t *places) {
    json_t *item, *to;
    const char *key, *next;
    size_t i;
    void *tmp;
    int r = 0;

    json_array_foreach(value, i, item) {
        if (!r)
            r = resolve(t, item, json_string_value(json_array_get(places, i)), &to);
        if (!r && to)
            r = json_array_set_new(value, i, to) < 0 ? -ENOMEM : 0;
        if (!r)
            r = walk(t, json_array_get(value, i), NULL);
    }
    json_object_foreach_safe(value, tmp, key, item) {
        char beside[64];
        if (r || *key == '@')
            continue;
        (void)snprintf(beside, sizeof(beside), "@%s", key);
        next = json_string_value(json_object_get(value, beside));
        r = resolve(t, item, next, &to);
        if (!r && to)
            r = json_object_set_new(value, key, to) < 0 ? -ENOMEM : 0;
        else if (!r)
            r = walk(t, item, json_object_get(value, beside));
    }
    return r;
}

int resolve_templates(json_t *doc, const char *file, const struct config_resolver *resolver, struct problems *p) {
    const struct templates t = {.file = file, .resolver = resolver, .problems = p};

    return resolver ? walk(&t, doc, NULL) : 0;
}
