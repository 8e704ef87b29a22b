/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime-config/runtime.h"

#include <errno.h>
#include <string.h>

#include "lib/json.h"
#include "lib/log.h"

const char *const ns_names[NS_COUNT] = {"cgroup", "ipc", "mnt", "net", "pid", "user", "uts"};

static const char *const known_keys[] = {"cgroups", "mounts",    "mkdir",    "interfaces",
                                         "bindNS",  "namespace", "deadline", "onfail"};

static int strings_load(const json_t *obj, const char *where, const char *key, struct strings *out, struct err *e) {
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

static int mount_load(const json_t *obj, size_t i, struct runtime_mount *m, struct err *e) {
    char where[64];

    (void)snprintf(where, sizeof(where), "$.mounts[%zu]", i);
    if (!json_is_object(obj))
        return err_set(e, -EINVAL, "%s is not an object", where);
    *m = (struct runtime_mount){"", "", "", {0}};
    int r = json_get_string(obj, where, "destination", true, &m->destination, e);
    if (!r)
        r = json_get_string(obj, where, "type", false, &m->type, e);
    if (!r)
        r = json_get_string(obj, where, "source", false, &m->source, e);
    return r < 0 ? r : strings_load(obj, where, "options", &m->options, e);
}

static int mounts_load(const json_t *doc, struct runtime *rt, struct err *e) {
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
        r = mount_load(json_array_get(list, i), i, &rt->mounts[i], e);
        rt->mounts_len = i + 1;
    }
    return r;
}

static int bind_ns_load(const json_t *doc, struct runtime *rt, struct err *e) {
    json_t *obj = NULL;
    int r = json_get_object(doc, "$", "bindNS", false, &obj, e);

    for (int i = 0; i < NS_COUNT && !r && obj; i++) {
        r = json_get_string(obj, "$.bindNS", ns_names[i], false, &rt->bind_ns[i], e);
        if (!r && *rt->bind_ns[i] && *rt->bind_ns[i] != '/')
            r = err_set(e, -EINVAL, "$.bindNS.%s is not an absolute path: \"%s\"", ns_names[i], rt->bind_ns[i]);
    }
    return r;
}

static int words_load(const json_t *doc, struct runtime *rt, struct err *e) {
    const char *deadline = "", *onfail = "";
    int r = json_get_string(doc, "$", "deadline", false, &deadline, e);

    if (!r)
        r = json_get_string(doc, "$", "onfail", false, &onfail, e);
    if (r < 0)
        return r;
    if (*deadline && duration_parse(deadline, &rt->deadline_ms) < 0)
        return err_set(e, -EINVAL, "$.deadline is not a time such as \"90s\" or \"5m\": \"%.50s\"", deadline);
    if (*onfail && onfail_parse(onfail, &rt->onfail) < 0)
        return err_set(e, -EINVAL, "$.onfail is not continue, reboot, poweroff or halt: \"%.50s\"", onfail);
    return 0;
}

static void warn_unknown(const char *path, const json_t *doc) {
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)doc, key, value) {
        bool known = false;
        for (size_t i = 0; i < ARRAY_SIZE(known_keys); i++)
            known |= !strcmp(key, known_keys[i]);
        if (!known)
            log_warning("%s: unknown key \"%s\" is ignored", path, key);
    }
}

static int runtime_read(const char *path, const json_t *doc, struct runtime *rt, struct err *e) {
    if (!json_is_object(doc))
        return err_set(e, -EINVAL, "it is not an object");
    warn_unknown(path, doc);
    int r = strings_load(doc, "$", "cgroups", &rt->cgroups, e);
    if (!r)
        r = mounts_load(doc, rt, e);
    if (!r)
        r = strings_load(doc, "$", "mkdir", &rt->mkdir, e);
    if (!r)
        r = interfaces_load(doc, path, &rt->interfaces, e);
    if (!r)
        r = bind_ns_load(doc, rt, e);
    if (!r)
        r = json_get_string(doc, "$", "namespace", false, &rt->ns, e);
    if (!r)
        r = words_load(doc, rt, e);
    return r;
}

int runtime_load(const char *path, struct runtime *rt, struct err *e) {
    AUTO_JSON json_t *doc = NULL;

    *rt = (struct runtime){.ns = ""};
    for (int i = 0; i < NS_COUNT; i++)
        rt->bind_ns[i] = "";
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
    json_decref(rt->doc);
    *rt = (struct runtime){.ns = ""};
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
