/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>

#include "tools/config/yaml.h"
#include "tools/oci/oci_priv.h"

#define OCI_VERSION "1.1.0"

const json_t *pick(const struct sources *s, const char *key) {
    const json_t *v = json_object_get(s->yaml, key);

    return v ? v : json_object_get(s->label, key);
}

const char *pick_string(const struct sources *s, const char *key, const char *otherwise) {
    const char *yaml = json_string_value(json_object_get(s->yaml, key));
    const char *label = json_string_value(json_object_get(s->label, key));

    if (yaml && *yaml)
        return yaml;
    return label && *label ? label : otherwise;
}

bool pick_bool(const struct sources *s, const char *key) {
    return json_is_true(pick(s, key));
}

json_t *pick_merged(const struct sources *s, const char *key) {
    char add[64];
    const json_t *whole = json_object_get(s->yaml, key);

    (void)snprintf(add, sizeof(add), "%s.add", key);
    if (whole)
        return json_deep_copy(whole);
    json_t *list = json_array();
    json_t *first = json_object_get(s->label, key), *more = json_object_get(s->yaml, add);
    if (list && ((first && json_array_extend(list, first) < 0) || (more && json_array_extend(list, more) < 0))) {
        json_decref(list);
        return NULL;
    }
    return list;
}

/* Where the YAML says it; NULL: the label says it. */
static const char *place_in_yaml(const struct sources *s, const char *key, size_t i) {
    char add[64];
    const json_t *map = json_array_get(json_object_get(s->yaml, key), i);
    const char *place = json_is_object(map) ? yaml_place(map, "", 0) : yaml_place(s->yaml, key, i);
    size_t before = json_array_size(json_object_get(s->label, key));

    (void)snprintf(add, sizeof(add), "%s.add", key);
    return place || i < before ? place : yaml_place(s->yaml, add, i - before);
}

int note(const struct sources *s, const char *key, size_t i, int r, struct err *e) {
    const char *place = place_in_yaml(s, key, i);

    if (r >= 0 || r == -ENOMEM)
        return r;
    (void)err_wrap(e, r, "%s", place ? place : s->place);
    problems_add(s->problems, e);
    return 0;
}

json_t *split(const char *s, char separator) {
    json_t *list = json_array();

    for (;;) {
        const char *end = strchrnul(s, separator);
        if (json_array_append_new(list, json_stringn(s, (size_t)(end - s))) < 0 || !*end)
            return list;
        s = end + 1;
    }
}

static json_t *make_args(const struct sources *s) {
    const json_t *command = pick(s, "command");
    json_t *list = json_array(), *entrypoint = json_object_get(s->image, "Entrypoint"),
           *cmd = json_object_get(s->image, "Cmd");

    if (command) {
        json_decref(list);
        return json_deep_copy(command);
    }
    if (json_is_array(entrypoint))
        (void)json_array_extend(list, entrypoint);
    if (json_is_array(cmd))
        (void)json_array_extend(list, cmd);
    return list;
}

static json_t *make_env(const struct sources *s) {
    const json_t *env = pick(s, "env");

    if (!env)
        env = json_object_get(s->image, "Env");
    return json_is_array(env) ? json_deep_copy(env) : json_array();
}

static int make_user(const struct sources *s, json_t **out, struct err *e) {
    AUTO_JSON json_t *groups = json_array();
    const json_t *value;
    uint32_t uid = 0, gid = 0, id = 0;
    size_t i;

    int r = note(s, "uid", 0, config_user_id(s->config, pick(s, "uid"), &uid, e), e);
    if (!r)
        r = note(s, "gid", 0, config_user_id(s->config, pick(s, "gid"), &gid, e), e);
    if (r < 0)
        return r;
    json_array_foreach(pick(s, "additionalGids"), i, value) {
        r = note(s, "additionalGids", i, config_user_id(s->config, value, &id, e), e);
        if (r < 0)
            return r;
        (void)json_array_append_new(groups, json_integer(id));
    }
    *out = json_pack("{s:I, s:I}", "uid", (json_int_t)uid, "gid", (json_int_t)gid);
    if (json_array_size(groups))
        (void)json_object_set(*out, "additionalGids", groups);
    return *out ? 0 : -ENOMEM;
}

static int make_process(const struct sources *s, json_t **out, struct err *e) {
    AUTO_JSON json_t *user = NULL, *capabilities = NULL, *rlimits = NULL;
    const char *cwd = json_string_value(json_object_get(s->image, "WorkingDir"));
    const json_t *oom = pick(s, "oomScoreAdj");

    int r = make_user(s, &user, e);
    if (!r)
        r = make_capabilities(s, &capabilities, e);
    if (!r)
        r = make_rlimits(s, &rlimits, e);
    if (r < 0)
        return r;
    *out = json_pack("{s:O, s:o, s:o, s:s, s:O}", "user", user, "args", make_args(s), "env", make_env(s), "cwd",
                     pick_string(s, "cwd", cwd && *cwd ? cwd : "/"), "capabilities", capabilities);
    if (json_array_size(rlimits))
        (void)json_object_set(*out, "rlimits", rlimits);
    if (pick_bool(s, "noNewPrivileges"))
        (void)json_object_set_new(*out, "noNewPrivileges", json_true());
    if (oom)
        (void)json_object_set_new(*out, "oomScoreAdj", json_deep_copy(oom));
    return *out ? 0 : -ENOMEM;
}

static int make_config(const struct sources *s, json_t **out, struct err *e) {
    AUTO_JSON json_t *process = NULL, *mounts = NULL, *linux_part = NULL, *seccomp = NULL;
    const json_t *annotations = pick(s, "annotations");
    const char *hostname = pick_string(s, "hostname", NULL);

    int r = make_mounts(s, &mounts, e);
    if (!r)
        r = make_process(s, &process, e);
    if (!r)
        r = make_linux(s, &linux_part, e);
    if (!r)
        r = note(s, "seccomp", 0, make_seccomp(s, json_object_get(process, "capabilities"), &seccomp, e), e);
    if (!r && seccomp && json_object_set(linux_part, "seccomp", seccomp) < 0)
        r = -ENOMEM;
    if (r < 0)
        return r;
    *out = json_pack("{s:s, s:O, s:{s:s}}", "ociVersion", OCI_VERSION, "process", process, "root", "path", "rootfs");
    if (pick_bool(s, "readonly"))
        (void)json_object_set_new(json_object_get(*out, "root"), "readonly", json_true());
    if (hostname)
        (void)json_object_set_new(*out, "hostname", json_string(hostname));
    (void)json_object_set(*out, "mounts", mounts);
    if (json_object_size(annotations))
        (void)json_object_set_new(*out, "annotations", json_deep_copy(annotations));
    return json_object_set(*out, "linux", linux_part) < 0 ? -ENOMEM : 0;
}

int oci_spec_make(const struct config *c, const struct config_container *container, const json_t *image_config,
                  const char *arch, struct problems *problems, struct oci_spec *out, struct err *e) {
    AUTO_PROBLEMS struct problems own = {0};
    AUTO_JSON json_t *label = NULL;
    struct err local = {0};
    struct sources s = {.config = c,
                        .container = container,
                        .yaml = container->fields,
                        .image = json_object_get(image_config, "config"),
                        .arch = arch,
                        .place = container->place,
                        .problems = problems ? problems : &own};
    unsigned before = s.problems->count;

    e = e ? e : &local;
    *out = (struct oci_spec){0};
    e->code = 0;
    int r = note(&s, "", 0, check_image(&s, image_config, e), e);
    if (!r && s.problems->count == before)
        r = note(&s, "", 0, read_label(&s, &label, e), e);
    s.label = label;
    out->readonly = pick_bool(&s, "readonly");
    if (!r)
        r = make_config(&s, &out->config, e);
    if (!r)
        r = make_runtime(&s, &out->runtime, e);
    if (!r && s.problems->count == before)
        return 0;
    oci_spec_free(out);
    if (!r)
        return problems_result(s.problems, e);
    if (!e->code)
        return err_errno(e, r, "%s: could not make its configuration", container->place);
    return err_wrap(e, r, "%s", container->place);
}

void oci_spec_free(struct oci_spec *s) {
    json_decref(s->config);
    json_decref(s->runtime);
    *s = (struct oci_spec){0};
}
