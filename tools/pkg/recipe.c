/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/pkg/recipe.h"

#include <errno.h>
#include <fnmatch.h>
#include <string.h>

#include "lib/fdutil.h"
#include "lib/json.h"
#include "tools/config/yaml.h"

#define RECIPE_MAX ((size_t)1 << 20)

static const struct schema string = {.kind = VALUE_STRING};
static const struct schema boolean = {.kind = VALUE_BOOL};
static const struct schema strings = {.kind = VALUE_LIST, .item = &string};

static const struct schema_field debian_fields[] = {
    {"packages", &strings, true}, {"exclude", &strings, false}, {"keep", &strings, false}, {NULL, NULL, false}};
static const struct schema debian = {.kind = VALUE_OBJECT, .fields = debian_fields};

static const struct schema_field kernel_fields[] = {
    {"package", &string, true}, {"exclude", &strings, false}, {"devicetrees", &strings, false}, {NULL, NULL, false}};
static const struct schema kernel = {.kind = VALUE_OBJECT, .fields = kernel_fields};

static const struct schema_field copy_fields[] = {
    {"from", &string, true}, {"to", &string, true}, {"mode", &string, false}, {NULL, NULL, false}};
static const struct schema copy = {.kind = VALUE_OBJECT, .fields = copy_fields};
static const struct schema copies = {.kind = VALUE_LIST, .item = &copy};

static const struct schema_field file_fields[] = {{"path", &string, true},     {"contents", &string, false},
                                                  {"mode", &string, false},    {"directory", &boolean, false},
                                                  {"symlink", &string, false}, {NULL, NULL, false}};
static const struct schema file = {.kind = VALUE_OBJECT, .fields = file_fields};
static const struct schema files = {.kind = VALUE_LIST, .item = &file};

static const struct schema_field link_fields[] = {
    {"target", &string, true}, {"paths", &strings, true}, {NULL, NULL, false}};
static const struct schema link_group = {.kind = VALUE_OBJECT, .fields = link_fields};
static const struct schema links = {.kind = VALUE_LIST, .item = &link_group};

static const struct schema_field docker_images_fields[] = {{"target-dir", &string, false},
                                                           {"target", &string, false},
                                                           {"from-file", &string, false},
                                                           {"list", &strings, false},
                                                           {NULL, NULL, false}};
static const struct schema docker_images = {.kind = VALUE_OBJECT, .fields = docker_images_fields};
static const struct schema_field depends_fields[] = {{"docker-images", &docker_images, false}, {NULL, NULL, false}};
static const struct schema depends = {.kind = VALUE_OBJECT, .fields = depends_fields};

static const struct schema_field recipe_fields[] = {{"image", &string, true},
                                                    {"org", &string, false},
                                                    {"arches", &strings, false},
                                                    {"config", &schema_label, false},
                                                    {"debian", &debian, false},
                                                    {"kernel", &kernel, false},
                                                    {"copy", &copies, false},
                                                    {"files", &files, false},
                                                    {"links", &links, false},
                                                    {"command", &strings, false},
                                                    {"entrypoint", &strings, false},
                                                    {"env", &strings, false},
                                                    {"workdir", &string, false},
                                                    {"tag", &string, false},
                                                    {"dockerfile", &string, false},
                                                    {"network", &boolean, false},
                                                    {"gitrepo", &string, false},
                                                    {"disable-cache", &boolean, false},
                                                    {"disable-content-trust", &boolean, false},
                                                    {"extra-sources", &strings, false},
                                                    {"buildArgs", &strings, false},
                                                    {"depends", &depends, false},
                                                    {NULL, NULL, false}};
static const struct schema recipe_schema = {.kind = VALUE_OBJECT, .fields = recipe_fields};

int recipe_load(const char *dir, struct recipe *r, struct err *e) {
    return recipe_load_file(dir, "build.yml", r, e);
}

int recipe_load_file(const char *dir, const char *file_name, struct recipe *r, struct err *e) {
    AUTO_BUF struct buf text = BUF_INIT;
    AUTO_FREE char *path = path_join(dir, file_name);

    *r = (struct recipe){.dir = strdup(dir), .org = "keelson"};
    if (!path || !r->dir) {
        recipe_free(r);
        return err_errno(e, -ENOMEM, "could not read %s/%s", dir, file_name);
    }
    int result = read_file(path, RECIPE_MAX, &text, e);
    if (!result)
        result = yaml_read(path, text.data ? text.data : "", text.len, &recipe_schema, true, NULL, &r->doc, e);
    if (!result)
        result = recipe_check(r->doc, e);
    if (!result)
        result = json_get_string(r->doc, "$", "image", true, &r->image, e);
    if (!result)
        result = json_get_string(r->doc, "$", "org", false, &r->org, e);
    if (result < 0)
        recipe_free(r);
    return result;
}

void recipe_free(struct recipe *r) {
    free(r->dir);
    json_decref(r->doc);
    *r = (struct recipe){0};
}

bool recipe_has_arch(const struct recipe *r, const char *arch) {
    const json_t *arches = json_object_get(r->doc, "arches");
    const json_t *one;
    size_t i;

    if (!arches)
        return true;
    json_array_foreach(arches, i, one) {
        if (!strcmp(json_string_value(one), arch))
            return true;
    }
    return false;
}

bool recipe_matches(const json_t *globs, const char *path) {
    const json_t *glob;
    size_t i;

    json_array_foreach(globs, i, glob) {
        if (fnmatch(json_string_value(glob), path, 0) == 0)
            return true;
    }
    return false;
}

bool recipe_takes(const struct recipe *r, const char *section, const char *path) {
    const json_t *s = json_object_get(r->doc, section);
    const json_t *keep = json_object_get(s, "keep");

    return (!keep || recipe_matches(keep, path)) && !recipe_matches(json_object_get(s, "exclude"), path);
}

int recipe_mode(const json_t *item, mode_t def, mode_t *out, struct err *e) {
    const char *text = json_string_value(json_object_get(item, "mode"));

    *out = def;
    if (!text)
        return 0;
    size_t len = strlen(text);
    unsigned long mode = strtoul(text, NULL, 8);
    if (len == 0 || len > 5 || strspn(text, "01234567") != len || mode > 07777)
        return err_set(e, -EINVAL, "mode \"%s\" is not octal, such as \"0755\"", text);
    *out = (mode_t)mode;
    return 0;
}

int recipe_blame(const json_t *item, int r, struct err *e) {
    const char *place = yaml_place(item, "", 0);

    return r < 0 && place ? err_wrap(e, r, "%s", place) : r;
}
