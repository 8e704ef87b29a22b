/* SPDX-License-Identifier: Apache-2.0 */
/* The "linux" part of config.json: namespaces, devices, resources, sysctl, paths, id mappings. */
#include <errno.h>
#include <string.h>

#include "tools/oci/oci_priv.h"

struct namespace_rule {
    const char *key, *type;
    const char *otherwise; /* when neither label nor YAML says anything */
    bool none_is_new;
};

static const struct namespace_rule rules[] = {
    {"net", "network", "host", true}, {"ipc", "ipc", "host", false},     {"uts", "uts", "host", false},
    {"pid", "pid", "new", false},     {"userns", "user", "host", false},
};

static json_t *make_namespaces(const struct sources *s) {
    json_t *list = json_array();

    for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
        const char *want = pick_string(s, rules[i].key, rules[i].otherwise);
        if (!strcmp(want, "host") || !strcmp(want, "root"))
            continue;
        json_t *ns = json_pack("{s:s}", "type", rules[i].type);
        if (strcmp(want, "new") != 0 && !(rules[i].none_is_new && !strcmp(want, "none")))
            (void)json_object_set_new(ns, "path", json_string(want));
        (void)json_array_append_new(list, ns);
    }
    (void)json_array_append_new(list, json_pack("{s:s}", "type", "mount"));
    return list;
}

static int add_device(const json_t *d, json_t *devices, json_t *rules_list, struct err *e) {
    const char *path = json_string_value(json_object_get(d, "path"));
    const char *type = json_string_value(json_object_get(d, "type"));
    const char *mode = json_string_value(json_object_get(d, "mode"));
    json_int_t major = json_integer_value(json_object_get(d, "major"));
    json_int_t minor = json_integer_value(json_object_get(d, "minor"));

    path = path ? path : "";
    type = type ? type : "";
    if (!strcmp(path, "all"))
        return json_array_append_new(rules_list,
                                     json_pack("{s:b, s:s, s:s}", "allow", 1, "type", type, "access", "rwm")) < 0
                   ? -ENOMEM
                   : 0;
    if (strcmp(type, "b") != 0 && strcmp(type, "c") != 0)
        return err_set(e, -EINVAL, "the device \"%s\" needs the \"type\" b (block) or c (character)", path);
    if (!mode || !*mode || strspn(mode, "01234567") != strlen(mode) || strlen(mode) > 5 ||
        strtoul(mode, NULL, 8) > 07777)
        return err_set(e, -EINVAL, "the device \"%s\" needs an octal \"mode\"; write it like \"0600\"", path);
    (void)json_array_append_new(devices,
                                json_pack("{s:s, s:s, s:I, s:I, s:I}", "path", path, "type", type, "major", major,
                                          "minor", minor, "fileMode", (json_int_t)strtoul(mode, NULL, 8)));
    return json_array_append_new(rules_list, json_pack("{s:b, s:s, s:I, s:I, s:s}", "allow", 1, "type", type, "major",
                                                       major, "minor", minor, "access", "rwm")) < 0
               ? -ENOMEM
               : 0;
}

/* LinuxKit's word is "blockio", the OCI specification's "blockIO". Cgroup rules of `devices:` come after its own. */
static int make_resources(const struct sources *s, json_t *linux_part, struct err *e) {
    const json_t *from = pick(s, "resources"), *d;
    json_t *resources = from ? config_copy_plain(from) : json_object();
    json_t *devices = json_array(), *rules_list = json_object_get(resources, "devices");
    json_t *blockio = json_object_get(resources, "blockio");
    size_t i;
    int r = 0;

    (void)json_object_set_new(linux_part, "resources", resources);
    (void)json_object_set_new(linux_part, "devices", devices);
    if (blockio) {
        (void)json_object_set(resources, "blockIO", blockio);
        (void)json_object_del(resources, "blockio");
    }
    if (!rules_list) {
        rules_list = json_array();
        (void)json_object_set_new(resources, "devices", rules_list);
    }
    json_array_foreach(pick(s, "devices"), i, d) {
        if (!r)
            r = note(s, "devices", i, add_device(d, devices, rules_list, e), e);
    }
    if (!json_array_size(rules_list))
        (void)json_object_del(resources, "devices");
    if (!json_array_size(devices))
        (void)json_object_del(linux_part, "devices");
    return r;
}

json_t *mappings_new(const json_t *from) {
    static const char *const fields[] = {"containerID", "hostID", "size"};
    const json_t *m;
    json_t *list;
    size_t i;

    if (!json_array_size(from))
        return NULL;
    list = json_array();
    json_array_foreach(from, i, m) {
        json_t *mapping = json_object();
        for (size_t f = 0; f < ARRAY_SIZE(fields); f++)
            (void)json_object_set_new(mapping, fields[f],
                                      json_integer(json_integer_value(json_object_get(m, fields[f]))));
        (void)json_array_append_new(list, mapping);
    }
    return list;
}

static void make_mappings(const struct sources *s, const char *key, json_t *linux_part) {
    json_t *list = mappings_new(pick(s, key));

    if (list)
        (void)json_object_set_new(linux_part, key, list);
}

static void copy_field(const struct sources *s, const char *key, json_t *linux_part) {
    const json_t *v = pick(s, key);

    if ((json_is_string(v) && *json_string_value(v)) || json_array_size(v) || json_object_size(v))
        (void)json_object_set_new(linux_part, key, config_copy_plain(v));
}

int make_linux(const struct sources *s, json_t **out, struct err *e) {
    json_t *l = json_object();

    *out = l;
    make_mappings(s, "uidMappings", l);
    make_mappings(s, "gidMappings", l);
    copy_field(s, "sysctl", l);
    int r = make_resources(s, l, e);
    if (r < 0)
        return r;
    copy_field(s, "cgroupsPath", l);
    (void)json_object_set_new(l, "namespaces", make_namespaces(s));
    copy_field(s, "rootfsPropagation", l);
    copy_field(s, "maskedPaths", l);
    copy_field(s, "readonlyPaths", l);
    return json_object_get(l, "namespaces") ? 0 : -ENOMEM;
}
