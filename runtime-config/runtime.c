/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime-config/runtime.h"

#include <errno.h>
#include <string.h>

#include "lib/json.h"
#include "runtime-config/unknown.h"

const char *const ns_names[NS_COUNT + 1] = {"cgroup", "ipc", "mnt", "net", "pid", "user", "uts", NULL};

static const char *const known_keys[] = {"cgroups", "mounts",  "mkdir", "interfaces", "bindNS", "namespace", "deadline",
                                         "onfail",  "restart", "after", "ready",      "health", "stop",      NULL};
static const char *const known_mount_keys[] = {"destination", "type", "source", "options", NULL};

static int mount_load(const json_t *obj, const char *path, size_t i, struct runtime_mount *m, struct err *e) {
    char where[64];

    (void)snprintf(where, sizeof(where), "$.mounts[%zu]", i);
    if (!json_is_object(obj))
        return err_set(e, -EINVAL, "%s is not an object", where);
    unknown_keys_warn(path, where, obj, known_mount_keys);
    *m = (struct runtime_mount){"", "", "", {0}};
    int r = json_get_string(obj, where, "destination", true, &m->destination, e);
    if (!r)
        r = json_get_string(obj, where, "type", false, &m->type, e);
    if (!r)
        r = json_get_string(obj, where, "source", false, &m->source, e);
    return r < 0 ? r : strings_load(obj, where, "options", &m->options, e);
}

static int mounts_load(const json_t *doc, const char *path, struct runtime *rt, struct err *e) {
    json_t *list = NULL;
    int r = json_get_array(doc, "$", "mounts", false, &list, e);
    size_t len = json_array_size(list);

    if (r < 0 || len == 0)
        return r;
    if (len > RUNTIME_LIST_MAX)
        return err_set(e, -E2BIG, "$.mounts has more than %d entries", RUNTIME_LIST_MAX);
    rt->mounts = calloc(len, sizeof(*rt->mounts));
    if (!rt->mounts)
        return err_errno(e, -ENOMEM, "could not read $.mounts");
    for (size_t i = 0; i < len && !r; i++) {
        r = mount_load(json_array_get(list, i), path, i, &rt->mounts[i], e);
        rt->mounts_len = i + 1;
    }
    return r;
}

static int bind_ns_load(const json_t *doc, const char *path, struct runtime *rt, struct err *e) {
    json_t *obj = NULL;
    int r = json_get_object(doc, "$", "bindNS", false, &obj, e);

    if (!r && obj)
        unknown_keys_warn(path, "$.bindNS", obj, ns_names);
    for (int i = 0; i < NS_COUNT && !r && obj; i++) {
        r = json_get_string(obj, "$.bindNS", ns_names[i], false, &rt->bind_ns[i], e);
        if (!r && *rt->bind_ns[i] && *rt->bind_ns[i] != '/')
            r = err_set(e, -EINVAL, "$.bindNS.%s is not an absolute path: \"%s\"", ns_names[i], rt->bind_ns[i]);
    }
    return r;
}

static int words_load(const json_t *doc, const char *path, struct runtime *rt, struct err *e) {
    const char *deadline = "";
    int r = json_get_string(doc, "$", "deadline", false, &deadline, e);

    if (!r && *deadline && duration_parse(deadline, &rt->deadline_ms) < 0)
        r = err_set(e, -EINVAL, "$.deadline is not a time such as \"90s\" or \"5m\": \"%.50s\"", deadline);
    return r < 0 ? r : policy_load(doc, path, &rt->policy, e);
}

static int runtime_read(const char *path, const json_t *doc, struct runtime *rt, struct err *e) {
    if (!json_is_object(doc))
        return err_set(e, -EINVAL, "it is not an object");
    unknown_keys_warn(path, "$", doc, known_keys);
    int r = strings_load(doc, "$", "cgroups", &rt->cgroups, e);
    if (!r)
        r = mounts_load(doc, path, rt, e);
    if (!r)
        r = strings_load(doc, "$", "mkdir", &rt->mkdir, e);
    if (!r)
        r = interfaces_load(doc, path, &rt->interfaces, e);
    if (!r)
        r = bind_ns_load(doc, path, rt, e);
    if (!r)
        r = json_get_string(doc, "$", "namespace", false, &rt->ns, e);
    if (!r && strlen(rt->ns) > RUNTIME_NS_MAX)
        r = err_set(e, -EINVAL, "$.namespace is longer than %d bytes", RUNTIME_NS_MAX);
    if (!r)
        r = words_load(doc, path, rt, e);
    return r;
}

void runtime_init(struct runtime *rt) {
    *rt = (struct runtime){.ns = ""};
    policy_init(&rt->policy);
    for (int i = 0; i < NS_COUNT; i++)
        rt->bind_ns[i] = "";
}

int runtime_load(const char *path, struct runtime *rt, struct err *e) {
    AUTO_JSON json_t *doc = NULL;

    runtime_init(rt);
    int r = json_load_path(path, RUNTIME_JSON_MAX, &doc, e);
    if (r == -ENOENT)
        return 0;
    if (r < 0)
        return r;
    r = runtime_read(path, doc, rt, e);
    rt->doc = steal_ptr(&doc);
    if (r < 0) {
        runtime_free(rt);
        return err_wrap(e, r, "could not use %s", path);
    }
    return 0;
}

void runtime_free(struct runtime *rt) {
    for (size_t i = 0; i < rt->mounts_len; i++)
        free(rt->mounts[i].options.v);
    free(rt->mounts);
    interfaces_free(&rt->interfaces);
    free(rt->cgroups.v);
    free(rt->mkdir.v);
    policy_free(&rt->policy);
    json_decref(rt->doc);
    runtime_init(rt);
}

void runtime_namespace(const char *path, char *out, size_t len) {
    AUTO_JSON json_t *doc = NULL;
    const char *ns = NULL;

    if (json_load_path(path, RUNTIME_JSON_MAX, &doc, NULL) == 0)
        ns = json_string_value(json_object_get(doc, "namespace"));
    (void)snprintf(out, len, "%s", ns && strlen(ns) < len ? ns : "");
}

bool runtime_binds_namespaces(const struct runtime *rt) {
    for (int i = 0; i < NS_COUNT; i++)
        if (rt->bind_ns[i] && *rt->bind_ns[i])
            return true;
    return false;
}

bool runtime_wants_process(const struct runtime *rt) {
    return rt->interfaces.len > 0 || runtime_binds_namespaces(rt);
}
