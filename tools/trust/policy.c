/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fnmatch.h>
#include <string.h>

#include "lib/fdutil.h"
#include "lib/json.h"
#include "tools/config/yaml.h"
#include "tools/trust/trust.h"

static int default_path(char **out, bool *required) {
    const char *env = getenv("KEELSON_POLICY"), *home = getenv("HOME");
    int n = 0;

    *required = env && *env;
    if (*required)
        n = asprintf(out, "%s", env);
    else if (home && *home)
        n = asprintf(out, "%s/.config/keelson/policy.json", home);
    if (n < 0)
        *out = NULL;
    return n < 0 ? -ENOMEM : 0;
}

static const struct schema match = {.kind = VALUE_STRING};
static const struct schema key_file = {.kind = VALUE_STRING, .or_null = true};
static const struct schema_field entry_fields[] = {
    {"match", &match, true}, {"key", &key_file, true}, {NULL, NULL, false}};
static const struct schema entry_schema = {.kind = VALUE_OBJECT, .fields = entry_fields};
static const struct schema images_schema = {.kind = VALUE_LIST, .item = &entry_schema};
static const struct schema_field policy_fields[] = {{"images", &images_schema, true}, {NULL, NULL, false}};
static const struct schema policy_schema = {.kind = VALUE_OBJECT, .fields = policy_fields};

static int read_policy(struct policy *p, struct err *e) {
    AUTO_BUF struct buf text = BUF_INIT;
    json_t *images = NULL;
    int r = read_file(p->path, POLICY_MAX, &text, e);

    if (!r)
        r = yaml_read(p->path, text.data ? text.data : "", text.len, &policy_schema, false, NULL, &p->doc, e);
    /* A file without a word is no object that could lack something. */
    if (!r && json_get_array(p->doc, "$", "images", true, &images, NULL) < 0)
        r = err_set(e, -EINVAL, "could not use the policy %s: it has no list \"images\"", p->path);
    return r;
}

int policy_load(const char *path, struct policy *out, struct err *e) {
    bool required = path != NULL;

    *out = (struct policy){.path = path ? strdup(path) : NULL};
    if ((path && !out->path) || (!path && default_path(&out->path, &required) < 0))
        return err_errno(e, -ENOMEM, "could not read the policy");
    if (!out->path)
        return 0;
    int r = read_policy(out, e);
    return r == -ENOENT && !required ? 0 : r;
}

void policy_free(struct policy *p) {
    free(p->path);
    json_decref(p->doc);
    *p = (struct policy){0};
}

static char *beside(const char *path, const char *file) {
    const char *slash = strrchr(path, '/');
    char *out = NULL;

    if (*file == '/' || !slash)
        return strdup(file);
    return asprintf(&out, "%.*s/%s", (int)(slash - path), path, file) < 0 ? NULL : out;
}

int policy_key(const struct policy *p, const char *name, char **key, bool *decided, struct err *e) {
    const json_t *entry;
    size_t i;

    *key = NULL;
    *decided = false;
    json_array_foreach(json_object_get(p->doc, "images"), i, entry) {
        const json_t *file = json_object_get(entry, "key");
        if (fnmatch(json_string_value(json_object_get(entry, "match")), name, 0) != 0)
            continue;
        *decided = true;
        *key = json_is_null(file) ? NULL : beside(p->path, json_string_value(file));
        return json_is_null(file) || *key ? 0 : err_errno(e, -ENOMEM, "could not use the policy %s", p->path);
    }
    return 0;
}

/* "linuxkit" and "docker.io/linuxkit" for docker.io/linuxkit/init. */
static bool is_org(const char *org, const struct reference *ref) {
    const char *slash = strrchr(ref->repository, '/');
    size_t len = slash ? (size_t)(slash - ref->repository) : 0;
    size_t registry = strlen(ref->registry);

    if (!strncmp(org, ref->registry, registry) && org[registry] == '/')
        org += registry + 1;
    else if (strcmp(ref->registry, "docker.io") != 0)
        return false;
    return strlen(org) == len && !strncmp(org, ref->repository, len);
}

static bool is_image(const char *word, const struct reference *ref) {
    AUTO_REFERENCE struct reference listed = {0};

    if (reference_parse(word, &listed, NULL) < 0 || strcmp(listed.registry, ref->registry) != 0 ||
        strcmp(listed.repository, ref->repository) != 0)
        return false;
    const char *last = strrchr(word, '/');
    bool any = !strchr(word, '@') && !strchr(last ? last : word, ':');
    return any || !strcmp(listed.name, ref->name);
}

bool trust_lists(const json_t *trust, const struct reference *ref) {
    const json_t *word;
    size_t i;

    json_array_foreach(json_object_get(trust, "image"), i, word) {
        if (json_is_string(word) && is_image(json_string_value(word), ref))
            return true;
    }
    json_array_foreach(json_object_get(trust, "org"), i, word) {
        if (json_is_string(word) && is_org(json_string_value(word), ref))
            return true;
    }
    return false;
}
