/* SPDX-License-Identifier: Apache-2.0 */
/* What a schema cannot say of a build.yml; found before anything is fetched or written. */
#include <errno.h>
#include <string.h>

#include "tools/image/tar.h"
#include "tools/pkg/recipe.h"

#define LOWER_DIGITS "abcdefghijklmnopqrstuvwxyz0123456789"

static const char *string_of(const json_t *object, const char *key) {
    return json_string_value(json_object_get(object, key));
}

static int check_path(const char *raw, struct err *e) {
    char path[ENTRY_PATH_MAX];
    int r = entry_path_clean(raw, path, sizeof(path), e);

    return !r && !*path ? err_set(e, -EINVAL, "path \"%s\" is the root; name something in it", raw) : r;
}

static int check_mode(const json_t *item, struct err *e) {
    mode_t mode;

    return recipe_mode(item, 0, &mode, e);
}

static int check_copy(const json_t *item, struct err *e) {
    int r = check_path(string_of(item, "to"), e);

    return r < 0 ? r : check_mode(item, e);
}

static int check_file(const json_t *item, struct err *e) {
    const char *path = string_of(item, "path"), *symlink = string_of(item, "symlink");
    int kinds =
        (symlink != NULL) + (string_of(item, "contents") != NULL) + json_is_true(json_object_get(item, "directory"));

    int r = check_path(path, e);
    if (!r && kinds != 1)
        r = err_set(e, -EINVAL, "\"%s\" has %s of \"contents\", \"symlink\" and \"directory: true\"; %s", path,
                    kinds ? "more than one" : "none", kinds ? "keep one" : "add one");
    if (!r && symlink && !*symlink)
        r = err_set(e, -EINVAL, "\"%s\" is a symlink to nothing; give its target", path);
    return r < 0 ? r : check_mode(item, e);
}

static int check_link(const json_t *item, struct err *e) {
    const json_t *path;
    size_t i;
    int r = *string_of(item, "target") ? 0 : err_set(e, -EINVAL, "\"target\" is empty; give the links a target");

    json_array_foreach(json_object_get(item, "paths"), i, path) {
        if (!r)
            r = check_path(json_string_value(path), e);
    }
    return r;
}

/* Debian Policy 5.6.1. What is no name could be an option of apt-get. */
static int check_package(const char *name, struct err *e) {
    const char *rest = name + strspn(name, LOWER_DIGITS "+-.");

    if (!strncmp(rest, RECIPE_ARCH, strlen(RECIPE_ARCH)))
        rest += strlen(RECIPE_ARCH);
    if (*name && strchr(LOWER_DIGITS, *name) && rest[strspn(rest, LOWER_DIGITS "+-.")] == '\0')
        return 0;
    return err_set(e, -EINVAL, "\"%s\" cannot be the name of a Debian package", name);
}

static int check_debian(const json_t *section, struct err *e) {
    const json_t *packages = json_object_get(section, "packages"), *name;
    size_t i;
    int r = 0;

    json_array_foreach(packages, i, name) {
        if (!r)
            r = check_package(json_string_value(name), e);
    }
    return r;
}

static int check_kernel(const json_t *section, struct err *e) {
    return check_package(string_of(section, "package"), e);
}

/* Repository names as registries take them; `org` may have several parts. */
static int check_names(const json_t *doc, struct err *e) {
    static const char *const keys[] = {"image", "org"};

    for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
        const char *name = string_of(doc, keys[i]);
        const char *allowed = i ? LOWER_DIGITS "._-/:" : LOWER_DIGITS "._-/"; /* org: a registry may have a port */
        if (name && (!*name || !strchr(LOWER_DIGITS, *name) || strspn(name, allowed) != strlen(name)))
            return err_set(e, -EINVAL, "\"%s\" cannot be \"%s\"; use lower case letters, digits, . _ and -", keys[i],
                           name);
    }
    return 0;
}

static int check_extra_source(const char *text, struct err *e) {
    const char *colon = strchr(text, ':');
    int r = colon && colon != text && !strchr(colon + 1, ':') ? check_path(colon + 1, e) : -EINVAL;

    return r == -EINVAL ? err_set(e, r, "extra source \"%s\" must be FOLDER:FOLDER-IN-THE-CONTEXT", text) : r;
}

/* A package is made by a Dockerfile or by our own sections. */
static int check_builder(const json_t *doc, struct err *e) {
    static const char *const own[] = {"debian",  "kernel",     "copy", "files",  "links",
                                      "command", "entrypoint", "env",  "workdir"};
    const json_t *source, *arg;
    size_t i;

    for (i = 0; i < sizeof(own) / sizeof(*own); i++)
        if (json_object_get(doc, "dockerfile") && json_object_get(doc, own[i]))
            return err_set(e, -EINVAL, "\"dockerfile\" and \"%s\" do not go together; take one of them away", own[i]);
    json_array_foreach(json_object_get(doc, "extra-sources"), i, source) {
        int r = check_extra_source(json_string_value(source), e);
        if (r < 0)
            return r;
    }
    json_array_foreach(json_object_get(doc, "buildArgs"), i, arg) {
        if (!strchr(json_string_value(arg), '='))
            return err_set(e, -EINVAL, "build argument \"%s\" must be NAME=VALUE", json_string_value(arg));
    }
    return 0;
}

typedef int check_fn(const json_t *item, struct err *e);

static int check_each(const json_t *list, check_fn *check, struct err *e) {
    const json_t *item;
    size_t i;

    json_array_foreach(list, i, item) {
        int r = recipe_blame(item, check(item, e), e);
        if (r < 0)
            return r;
    }
    return 0;
}

int recipe_check(const json_t *doc, struct err *e) {
    const json_t *debian = json_object_get(doc, "debian"), *kernel = json_object_get(doc, "kernel");

    int r = recipe_blame(doc, check_names(doc, e), e);
    if (!r)
        r = recipe_blame(doc, check_builder(doc, e), e);
    if (!r && debian)
        r = recipe_blame(debian, check_debian(debian, e), e);
    if (!r && kernel)
        r = recipe_blame(kernel, check_kernel(kernel, e), e);
    if (!r)
        r = check_each(json_object_get(doc, "copy"), check_copy, e);
    if (!r)
        r = check_each(json_object_get(doc, "files"), check_file, e);
    if (!r)
        r = check_each(json_object_get(doc, "links"), check_link, e);
    return r;
}
