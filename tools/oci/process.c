/* SPDX-License-Identifier: Apache-2.0 */
/* Capabilities and resource limits. */
#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "lib/fdutil.h"
#include "tools/oci/oci_priv.h"

/* By number: include/uapi/linux/capability.h. */
static const char *const capability_names[] = {
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETPCAP",
    "CAP_LINUX_IMMUTABLE",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST",
    "CAP_NET_ADMIN",
    "CAP_NET_RAW",
    "CAP_IPC_LOCK",
    "CAP_IPC_OWNER",
    "CAP_SYS_MODULE",
    "CAP_SYS_RAWIO",
    "CAP_SYS_CHROOT",
    "CAP_SYS_PTRACE",
    "CAP_SYS_PACCT",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
    "CAP_SYS_NICE",
    "CAP_SYS_RESOURCE",
    "CAP_SYS_TIME",
    "CAP_SYS_TTY_CONFIG",
    "CAP_MKNOD",
    "CAP_LEASE",
    "CAP_AUDIT_WRITE",
    "CAP_AUDIT_CONTROL",
    "CAP_SETFCAP",
    "CAP_MAC_OVERRIDE",
    "CAP_MAC_ADMIN",
    "CAP_SYSLOG",
    "CAP_WAKE_ALARM",
    "CAP_BLOCK_SUSPEND",
    "CAP_AUDIT_READ",
    "CAP_PERFMON",
    "CAP_BPF",
    "CAP_CHECKPOINT_RESTORE",
};

static bool contains(const json_t *list, const char *word) {
    const json_t *item;
    size_t i;

    json_array_foreach(list, i, item) {
        if (!strcmp(json_string_value(item), word))
            return true;
    }
    return false;
}

static bool is_capability(const char *name) {
    for (size_t i = 0; i < ARRAY_SIZE(capability_names); i++)
        if (!strcmp(capability_names[i], name))
            return true;
    return false;
}

/* Names without repeats; the single words "all" and "none" are understood. */
static int capability_set(const struct sources *s, const char *key, const json_t *list, json_t **out, struct err *e) {
    const char *only = json_array_size(list) == 1 ? json_string_value(json_array_get(list, 0)) : "";
    const json_t *item;
    size_t i;
    int r = 0;

    *out = json_array();
    if (!strcasecmp(only, "none"))
        return 0;
    for (i = 0; !strcasecmp(only, "all") && i < ARRAY_SIZE(capability_names); i++)
        (void)json_array_append_new(*out, json_string(capability_names[i]));
    if (i)
        return 0;
    json_array_foreach(list, i, item) {
        const char *name = json_string_value(item);
        if (!is_capability(name))
            r = note(s, key, i,
                     err_set(e, -EINVAL,
                             "unknown capability \"%s\"; write it like CAP_NET_ADMIN, or only \"all\" or \"none\"",
                             name),
                     e);
        else if (!contains(*out, name))
            (void)json_array_append_new(*out, json_string(name));
    }
    return r;
}

static int by_text(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

bool has_all_capabilities(const json_t *set) {
    return json_array_size(set) == ARRAY_SIZE(capability_names);
}

static json_t *sorted_union(const json_t *a, const json_t *b) {
    const char *names[ARRAY_SIZE(capability_names)];
    json_t *list = json_array();
    size_t n = 0;

    for (size_t i = 0; i < ARRAY_SIZE(capability_names); i++)
        if (contains(a, capability_names[i]) || contains(b, capability_names[i]))
            names[n++] = capability_names[i];
    qsort(names, n, sizeof(*names), by_text);
    for (size_t i = 0; i < n; i++)
        (void)json_array_append_new(list, json_string(names[i]));
    return list;
}

int make_capabilities(const struct sources *s, json_t **out, struct err *e) {
    AUTO_JSON json_t *wanted = pick_merged(s, "capabilities");
    AUTO_JSON json_t *effective = NULL, *ambient = NULL;

    int r = capability_set(s, "capabilities", wanted, &effective, e);
    if (!r)
        r = capability_set(s, "ambient", pick(s, "ambient"), &ambient, e);
    if (r < 0)
        return r;
    AUTO_JSON json_t *bounding = sorted_union(effective, ambient);
    *out = json_object();
    if (json_array_size(bounding)) {
        (void)json_object_set(*out, "bounding", bounding);
        (void)json_object_set(*out, "effective", effective);
        (void)json_object_set(*out, "inheritable", bounding);
        (void)json_object_set(*out, "permitted", bounding);
        (void)json_object_set(*out, "ambient", ambient);
    }
    return 0;
}

static char *trimmed(const json_t *word) {
    const char *s = json_string_value(word);

    while (isspace((unsigned char)*s))
        s++;
    size_t len = strlen(s);
    while (len && isspace((unsigned char)s[len - 1]))
        len--;
    return strndup(s, len);
}

static int rlimit_value(const json_t *part, const char *whole, json_int_t *out, struct err *e) {
    AUTO_FREE char *text = trimmed(part);
    uint64_t value;

    if (!text)
        return -ENOMEM;
    *out = RLIMIT_UNLIMITED;
    if (!strcasecmp(text, "unlimited") || !strcmp(text, "18446744073709551615"))
        return 0;
    if (parse_u64(text, INT64_MAX, &value) < 0)
        return err_set(e, -EINVAL, "the rlimit \"%s\" has the value \"%s\"; write a number or \"unlimited\"", whole,
                       text);
    *out = (json_int_t)value;
    return 0;
}

static int rlimit(const char *whole, json_t *list, struct err *e) {
    static const char *const names[] = {"CPU",      "FSIZE",  "DATA",    "STACK", "CORE",  "RSS",
                                        "NPROC",    "NOFILE", "MEMLOCK", "AS",    "LOCKS", "SIGPENDING",
                                        "MSGQUEUE", "NICE",   "RTPRIO",  "RTTIME"};
    AUTO_JSON json_t *parts = split(whole, ',');
    json_int_t soft, hard;

    if (json_array_size(parts) != 3)
        return err_set(e, -EINVAL, "the rlimit \"%s\" must be written as NAME,SOFT,HARD", whole);
    AUTO_FREE char *name = trimmed(json_array_get(parts, 0));
    int r = name ? rlimit_value(json_array_get(parts, 1), whole, &soft, e) : -ENOMEM;
    if (!r)
        r = rlimit_value(json_array_get(parts, 2), whole, &hard, e);
    if (r < 0)
        return r;
    if (hard != RLIMIT_UNLIMITED && (soft == RLIMIT_UNLIMITED || soft > hard))
        return err_set(e, -EINVAL, "the rlimit \"%s\" has a soft limit above the hard one; write it as NAME,SOFT,HARD",
                       whole);
    const char *bare = strncasecmp(name, "RLIMIT_", 7) ? name : name + 7;
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (!strcasecmp(bare, names[i]))
            return json_array_append_new(list, json_pack("{s:o, s:I, s:I}", "type", json_sprintf("RLIMIT_%s", names[i]),
                                                         "hard", hard, "soft", soft)) < 0
                       ? -ENOMEM
                       : 0;
    return err_set(e, -EINVAL, "the rlimit \"%s\" names no limit; see setrlimit(2) for the names", whole);
}

int make_rlimits(const struct sources *s, json_t **out, struct err *e) {
    const json_t *item;
    size_t i;
    int r = 0;

    *out = json_array();
    json_array_foreach(pick(s, "rlimits"), i, item) {
        if (!r)
            r = note(s, "rlimits", i, rlimit(json_string_value(item), *out, e), e);
    }
    return r;
}
