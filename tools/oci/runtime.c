/* SPDX-License-Identifier: Apache-2.0 */
/* runtime.json, and documents as text. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "lib/buf.h"
#include "tools/oci/oci_priv.h"

static const char *word(const json_t *object, const char *key) {
    const char *s = json_string_value(json_object_get(object, key));

    return s ? s : "";
}

static json_t *plain_mounts(const json_t *from) {
    json_t *list = json_array();
    const json_t *m;
    size_t i;

    json_array_foreach(from, i, m) {
        (void)json_array_append_new(list, mount_new(word(m, "destination"), word(m, "type"), word(m, "source"),
                                                    json_deep_copy(json_object_get(m, "options"))));
    }
    return list;
}

static json_t *plain_interfaces(const json_t *from) {
    static const char *const words[] = {"name", "add", "peer", "parent", "mode"};
    json_t *list = json_array();
    const json_t *entry;
    size_t i;

    json_array_foreach(from, i, entry) {
        json_t *interface = json_object();
        for (size_t w = 0; w < ARRAY_SIZE(words); w++)
            if (*word(entry, words[w]))
                (void)json_object_set_new(interface, words[w], json_string(word(entry, words[w])));
        if (json_object_get(entry, "id"))
            (void)json_object_set(interface, "id", json_object_get(entry, "id"));
        (void)json_object_set_new(interface, "createInRoot",
                                  json_boolean(json_is_true(json_object_get(entry, "createInRoot"))));
        (void)json_array_append_new(list, interface);
    }
    return list;
}

static json_t *plain_strings(const json_t *from) {
    return from ? json_deep_copy(from) : json_array();
}

/* Words that LinuxKit does not have: in runtime.json only if they are given, as they are; the schema has checked them.
 */
static int add_words(json_t *out, const struct sources *r, struct err *e) {
    static const char *const words[] = {"restart", "after", "ready", "health", "stop", "onfail", "deadline"};

    for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
        const json_t *value = pick(r, words[i]);
        if (value && json_object_set_new(out, words[i], config_copy_plain(value)) < 0)
            return err_errno(e, -ENOMEM, "could not make runtime.json");
    }
    return 0;
}

/* The reader has looked at the YAML alone: what is left of the label beside it is looked at here. */
static int check_label(const struct sources *s, const struct sources *r) {
    json_t *label = (json_t *)(uintptr_t)r->label, *value; /* jansson's iteration changes nothing */
    AUTO_JSON json_t *left = json_object();
    AUTO_FREE char *place = config_label_place(s->container);
    const char *key;

    if (!left || !place)
        return -ENOMEM;
    json_object_foreach(label, key, value) {
        if (!json_object_get(r->yaml, key) && json_object_set(left, key, value) < 0)
            return -ENOMEM;
    }
    config_check_words(s->container->section, left, place, s->problems);
    return 0;
}

/* Label and YAML are merged key by key, and bindNS entry by entry. */
int make_runtime(const struct sources *s, json_t **out, struct err *e) {
    static const char *const kinds[] = {"cgroup", "ipc", "mnt", "net", "pid", "user", "uts"};
    struct sources r = {.label = json_object_get(s->label, "runtime"), .yaml = json_object_get(s->yaml, "runtime")};
    struct sources ns = {.label = json_object_get(r.label, "bindNS"), .yaml = json_object_get(r.yaml, "bindNS")};
    const json_t *namespace = pick(&r, "namespace");
    json_t *bind_ns = json_object();

    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        const json_t *path = pick(&ns, kinds[i]);
        (void)json_object_set_new(bind_ns, kinds[i], path ? json_deep_copy(path) : json_string(""));
    }
    *out = json_pack("{s:o, s:o, s:o, s:o, s:o, s:s}", "cgroups", plain_strings(pick(&r, "cgroups")), "mounts",
                     plain_mounts(pick(&r, "mounts")), "mkdir", plain_strings(pick(&r, "mkdir")), "interfaces",
                     plain_interfaces(pick(&r, "interfaces")), "bindNS", bind_ns, "namespace",
                     namespace ? json_string_value(namespace) : "");
    if (!*out)
        return err_errno(e, -ENOMEM, "could not make runtime.json");
    int result = add_words(*out, &r, e);
    if (!result)
        result = check_label(s, &r);
    if (result < 0) {
        json_decref(*out);
        *out = NULL;
    }
    return result;
}

int oci_add_root_mounts(struct oci_spec *s, const char *bundle, const char *root, struct err *e) {
    AUTO_JSON json_t *mounts = json_array();
    AUTO_JSON json_t *rootfs = json_sprintf("/%s/rootfs", bundle), *tmp = json_sprintf("/%s/tmp", bundle),
                     *from = json_sprintf("/%s", root);

    if (s->readonly) {
        (void)json_array_append_new(
            mounts, mount_new(json_string_value(rootfs), NULL, json_string_value(from), split("bind", ',')));
    } else {
        json_t *options = json_array();
        (void)json_array_append_new(options, json_sprintf("lowerdir=/%s", root));
        (void)json_array_append_new(options, json_sprintf("upperdir=/%s/tmp/upper", bundle));
        (void)json_array_append_new(options, json_sprintf("workdir=/%s/tmp/work", bundle));
        (void)json_array_append_new(mounts, mount_new(json_string_value(tmp), "tmpfs", "tmpfs", NULL));
        (void)json_array_append_new(mounts,
                                    mount_new(json_string_value(tmp), NULL, NULL, split("remount,private", ',')));
        (void)json_array_append_new(mounts, mount_new(json_string_value(rootfs), "overlay", "overlay", options));
    }
    if (json_array_extend(mounts, json_object_get(s->runtime, "mounts")) < 0 ||
        json_object_set(s->runtime, "mounts", mounts) < 0)
        return err_errno(e, -ENOMEM, "could not make runtime.json");
    return 0;
}

static bool ends_with(const char *text, size_t len, const char *end) {
    return len >= strlen(end) && !memcmp(text + len - strlen(end), end, strlen(end));
}

/*
 * jansson's integers are signed: where a negative one stands for 64 bits (a limit: RLIMIT_UNLIMITED; the argument of a
 * system call) these are written. A quote inside a JSON string is always \", so no key is found in one.
 */
static bool is_unsigned(const char *text, size_t len) {
    static const char *const keys[] = {"\"hard\": ", "\"soft\": ", "\"value\": ", "\"valueTwo\": "};

    for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
        if (ends_with(text, len, keys[i]))
            return true;
    return false;
}

char *oci_dump(const json_t *doc) {
    AUTO_FREE char *text = json_dumps(doc, JSON_INDENT(4));
    struct buf out = BUF_INIT;
    const char *p = text, *minus = text;

    while (minus && (minus = strchr(minus, '-'))) {
        char *end;
        if (!is_unsigned(text, (size_t)(minus++ - text)))
            continue;
        uint64_t number = (uint64_t)strtoll(minus - 1, &end, 10);
        if (buf_append(&out, p, (size_t)(minus - 1 - p)) < 0 || buf_printf(&out, "%" PRIu64, number) < 0)
            break;
        p = minus = end;
    }
    if (p && !minus && buf_puts(&out, p) == 0)
        return out.data;
    buf_free(&out);
    return NULL;
}
