/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "tools/config/config_priv.h"

const char *const section_names[SECTION_COUNT] = {"onboot", "onshutdown", "services"};

void config_problem(struct problems *p, const char *place, const char *fmt, ...) {
    char why[512];
    struct err e = {0};
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(why, sizeof(why), fmt, ap);
    va_end(ap);
    (void)err_set(&e, -EINVAL, "%s: %s", place ? place : "label", why);
    problems_add(p, &e);
}

/* The kernel's fields and their places one by one; an empty one is as good as none, save for `tar` and `ucode`. */
static int merge_kernel(json_t *all, json_t *file) {
    const char *key;
    json_t *value;

    json_object_foreach(file, key, value) {
        char beside[64];
        (void)snprintf(beside, sizeof(beside), "@%s", key);
        json_t *place = json_object_get(file, beside);
        if (yaml_is_place(key, value) || !(!strcmp(key, "tar") || !strcmp(key, "ucode") || json_string_length(value)))
            continue;
        if (json_object_set(all, key, value) < 0 || (place && json_object_set(all, beside, place) < 0))
            return -ENOMEM;
    }
    return 0;
}

/* Appends what a later file says to what the earlier ones said. */
static int merge(json_t *all, json_t *file) {
    const char *key;
    json_t *value;

    json_object_foreach(file, key, value) {
        json_t *old = json_object_get(all, key);
        int r = 0;
        if (!old)
            r = json_object_set(all, key, value);
        else if (json_is_array(old) && json_is_array(value))
            r = json_array_extend(old, value);
        else if (json_is_object(old) && json_is_object(value))
            r = strcmp(key, "kernel") != 0 ? json_object_update(old, value) : merge_kernel(old, value);
        if (r < 0)
            return -ENOMEM;
    }
    return 0;
}

/* What is wrong with the text is among the problems; other failures are returned. */
static int read_one(const char *path, const struct config_resolver *resolver, json_t *all, struct problems *p,
                    struct err *e) {
    const char *name = strcmp(path, "-") ? path : "stdin";
    AUTO_BUF struct buf text = {.max = YAML_MAX_BYTES + 1};
    AUTO_JSON json_t *doc = NULL;

    int r = source_load(path, YAML_MAX_BYTES, &text, e);
    if (r < 0)
        return r;
    if (problems_add_source(p, name, &text) < 0)
        return err_errno(e, -ENOMEM, "could not hold %s", path);
    const struct buf *kept = &p->sources[p->sources_len - 1].text;
    unsigned before = p->count;
    struct templates templates = {path, resolver};
    const struct yaml_strings strings = {template_replace, &templates};
    r = yaml_read_replaced(name, kept->data ? kept->data : "", kept->len, &schema_config, resolver ? &strings : NULL, p,
                           &doc, e);
    if (r < 0 && p->count == before)
        return r;
    return doc && merge(all, doc) < 0 ? err_errno(e, -ENOMEM, "could not hold %s", path) : 0;
}

static int take_init(struct config *c) {
    const json_t *list = json_object_get(c->doc, "init"), *entry;
    size_t i;

    c->init = calloc(json_array_size(list) + 1, sizeof(*c->init));
    if (!c->init)
        return -ENOMEM;
    json_array_foreach(list, i, entry) {
        if (json_is_string(entry))
            c->init[c->init_len++] = (struct config_image){
                .image = json_string_value(entry),
                .place = yaml_place(c->doc, "init", i),
            };
    }
    return 0;
}

static void take_kernel(struct config *c) {
    const json_t *kernel = json_object_get(c->doc, "kernel");

    c->kernel.image = string_of(kernel, "image");
    c->kernel.cmdline = string_of(kernel, "cmdline");
    c->kernel.binary = string_of(kernel, "binary");
    c->kernel.tar = string_of(kernel, "tar");
    c->kernel.ucode = string_of(kernel, "ucode");
    c->kernel.place = yaml_place(kernel, "image", 0);
    c->kernel.binary_place = yaml_place(kernel, "binary", 0);
    c->kernel.tar_place = yaml_place(kernel, "tar", 0);
}

static int take_all(struct config *c, struct problems *p, struct err *e) {
    take_kernel(c);
    int r = take_init(c);
    if (!r)
        r = take_volumes(c, p);
    if (!r)
        r = take_containers(c, p);
    if (!r)
        r = config_check_order(c, NULL, p);
    if (!r)
        r = take_files(c, p);
    return r < 0 ? err_errno(e, r, "could not hold the configuration") : 0;
}

/* The length of FILE in FILE:LINE:COLUMN. */
static size_t file_len(const char *place) {
    const char *colon = strrchr(place, ':');

    colon = colon ? memrchr(place, ':', (size_t)(colon - place)) : NULL;
    return colon ? (size_t)(colon - place) : 0;
}

bool config_same_yaml(const char *place, const char *other) {
    size_t len = file_len(place);

    return len == file_len(other) && !memcmp(place, other, len);
}

int config_read(const char *const *paths, size_t paths_len, const struct config_resolver *resolver, struct config *out,
                struct problems *problems, struct err *e) {
    AUTO_PROBLEMS struct problems own = {0};
    struct problems *p = problems ? problems : &own;
    int r = 0;

    *out = (struct config){.doc = json_object(), .users = json_object()};
    if (!out->doc || !out->users)
        r = err_errno(e, -ENOMEM, "could not hold the configuration");
    for (size_t i = 0; i < paths_len && !r; i++)
        r = read_one(paths[i], resolver, out->doc, p, e);
    if (!r)
        r = take_all(out, p, e);
    if (!r && resolver && resolver->check)
        r = resolver->check(resolver->data, out, p, e);
    if (!r)
        r = problems_result(p, e);
    if (r < 0)
        config_free(out);
    return r;
}

void config_free(struct config *c) {
    free(c->init);
    free(c->volumes);
    free(c->files);
    for (int s = 0; s < SECTION_COUNT; s++)
        free(c->containers[s]);
    json_decref(c->users);
    json_decref(c->doc);
    *c = (struct config){0};
}

json_t *config_copy_plain(const json_t *value) {
    json_t *copy = NULL, *item;
    const char *key;
    size_t i;

    if (json_is_object(value)) {
        copy = json_object();
        /* jansson's iteration wants a pointer that is not const; it changes nothing */
        for (void *it = json_object_iter((json_t *)(uintptr_t)value); it;
             it = json_object_iter_next((json_t *)(uintptr_t)value, it)) {
            key = json_object_iter_key(it);
            item = json_object_iter_value(it);
            if (!yaml_is_place(key, item) && json_object_set_new(copy, key, config_copy_plain(item)) < 0)
                break;
        }
        return copy;
    }
    if (!json_is_array(value))
        return json_deep_copy(value);
    copy = json_array();
    json_array_foreach(value, i, item) {
        if (json_array_append_new(copy, config_copy_plain(item)) < 0)
            break;
    }
    return copy;
}

int config_print(const struct config *c, struct buf *out, struct err *e) {
    AUTO_JSON json_t *plain = config_copy_plain(c->doc);

    return plain ? yaml_write(plain, out, e) : err_errno(e, -ENOMEM, "could not print the configuration");
}
