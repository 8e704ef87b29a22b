/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/oci/seccomp.h"

#include <errno.h>
#include <seccomp.h>
#include <string.h>

#include "lib/fdutil.h"
#include "lib/log.h"
#include "tools/oci/oci_priv.h"

#define ARCHES_MAX 8

struct target {
    const char *profile; /* its name */
    const json_t *capabilities;
    const char *arch;            /* OCI's name */
    uint32_t tokens[ARCHES_MAX]; /* libseccomp's, the architecture itself first */
    size_t tokens_len;
    bool allows_the_rest; /* what no rule names */
};

static const struct {
    const char *arch, *token;
} native[] = {{"amd64", "SCMP_ARCH_X86_64"}, {"arm64", "SCMP_ARCH_AARCH64"}};

static const char *const actions[] = {"SCMP_ACT_KILL",  "SCMP_ACT_KILL_PROCESS", "SCMP_ACT_KILL_THREAD",
                                      "SCMP_ACT_TRAP",  "SCMP_ACT_ERRNO",        "SCMP_ACT_TRACE",
                                      "SCMP_ACT_ALLOW", "SCMP_ACT_LOG",          "SCMP_ACT_NOTIFY"};
static const char *const operators[] = {"SCMP_CMP_NE", "SCMP_CMP_LT", "SCMP_CMP_LE",       "SCMP_CMP_EQ",
                                        "SCMP_CMP_GE", "SCMP_CMP_GT", "SCMP_CMP_MASKED_EQ"};

static bool is_one_of(const char *word, const char *const *words, size_t len) {
    for (size_t i = 0; i < len; i++)
        if (!strcmp(word, words[i]))
            return true;
    return false;
}

static bool lists(const json_t *list, const char *word) {
    const json_t *item;
    size_t i;

    json_array_foreach(list, i, item) {
        if (!strcmp(json_string_value(item), word))
            return true;
    }
    return false;
}

/* "SCMP_ARCH_X86_64" -> libseccomp's number, 0 if it knows none. */
static uint32_t arch_token(const char *name) {
    char lower[32];
    size_t prefix = strlen("SCMP_ARCH_"), len = strlen(name);

    if (len <= prefix || len - prefix >= sizeof(lower) || strncmp(name, "SCMP_ARCH_", prefix) != 0)
        return 0;
    for (size_t i = prefix; i <= len; i++)
        lower[i - prefix] = (char)(name[i] >= 'A' && name[i] <= 'Z' ? name[i] | 0x20 : name[i]);
    return seccomp_arch_resolve_name(lower);
}

static int add_arch(struct target *t, json_t *list, const json_t *name, struct err *e) {
    uint32_t token = arch_token(json_string_value(name));

    if (!token || t->tokens_len == ARCHES_MAX)
        return err_set(e, -EINVAL, "the seccomp profile %s names an unknown architecture: %s", t->profile,
                       json_string_value(name));
    t->tokens[t->tokens_len++] = token;
    return json_array_append_new(list, json_copy((json_t *)(uintptr_t)name)) < 0 ? -ENOMEM : 0;
}

/* The architecture itself, and what else the profile says that programs for it may be. */
static int make_architectures(struct target *t, const json_t *profile, json_t **out, struct err *e) {
    const char *token = NULL;
    const json_t *entry, *name;
    size_t i, k;
    int r = 0;

    for (i = 0; i < ARRAY_SIZE(native); i++)
        if (!strcmp(native[i].arch, t->arch))
            token = native[i].token;
    if (!token)
        return err_set(e, -EINVAL, "there are no seccomp profiles for %s; write seccomp: unconfined", t->arch);
    *out = json_array();
    AUTO_JSON json_t *own = json_string(token);
    r = *out && own ? add_arch(t, *out, own, e) : -ENOMEM;
    json_array_foreach(json_object_get(profile, "architectures"), k, name) {
        if (!r && !json_equal(name, own))
            r = add_arch(t, *out, name, e);
    }
    json_array_foreach(json_object_get(profile, "archMap"), i, entry) {
        if (!json_equal(json_object_get(entry, "architecture"), own))
            continue;
        json_array_foreach(json_object_get(entry, "subArchitectures"), k, name) {
            if (!r)
                r = add_arch(t, *out, name, e);
        }
    }
    return r;
}

/* Whether a rule's includes and excludes let it be: as Docker, all capabilities of the first, none of the second. */
static bool applies(const struct target *t, const json_t *rule) {
    const json_t *in = json_object_get(rule, "includes"), *ex = json_object_get(rule, "excludes");
    const json_t *arches = json_object_get(in, "arches"), *cap;
    size_t i;

    json_array_foreach(json_object_get(in, "caps"), i, cap) {
        if (!lists(t->capabilities, json_string_value(cap)))
            return false;
    }
    json_array_foreach(json_object_get(ex, "caps"), i, cap) {
        if (lists(t->capabilities, json_string_value(cap)))
            return false;
    }
    if (json_array_size(arches) && !lists(arches, t->arch))
        return false;
    return !lists(json_object_get(ex, "arches"), t->arch) && !json_is_string(json_object_get(ex, "minKernel"));
}

enum known { KNOWN_NOWHERE, KNOWN_ELSEWHERE, KNOWN_HERE };

static enum known resolve(const struct target *t, const char *name) {
    enum known known = KNOWN_NOWHERE;

    for (size_t i = 0; i < t->tokens_len; i++) {
        int number = seccomp_syscall_resolve_name_arch(t->tokens[i], name);
        if (number >= 0)
            return KNOWN_HERE;
        if (number != __NR_SCMP_ERROR)
            known = KNOWN_ELSEWHERE;
    }
    return known;
}

static int add_name(const struct target *t, json_t *names, const json_t *name, struct err *e) {
    const char *word = json_string_value(name);

    enum known known = resolve(t, word);
    if (known == KNOWN_HERE)
        return json_array_append_new(names, json_string(word)) < 0 ? -ENOMEM : 0;
    if (known == KNOWN_NOWHERE && t->allows_the_rest)
        return err_set(
            e, -EINVAL,
            "the seccomp profile %s has a rule for \"%s\", which is no system call that libseccomp knows; it "
            "would be allowed",
            t->profile, word);
    log_debug("seccomp profile %s: %s has no system call %s", t->profile, t->arch, word);
    return 0;
}

static int copy_args(const struct target *t, const json_t *rule, json_t *out, struct err *e) {
    json_t *args = json_object_get(rule, "args"), *arg;
    size_t i;

    json_array_foreach(args, i, arg) {
        const char *op = json_string_value(json_object_get(arg, "op"));
        if (!op || !is_one_of(op, operators, ARRAY_SIZE(operators)))
            return err_set(e, -EINVAL, "the seccomp profile %s compares an argument with \"%s\"; use SCMP_CMP_EQ, ...",
                           t->profile, op ? op : "");
        if (json_integer_value(json_object_get(arg, "index")) > 5)
            return err_set(e, -EINVAL, "the seccomp profile %s has an argument whose index is above 5", t->profile);
    }
    return json_array_size(args) && json_object_set_new(out, "args", json_deep_copy(args)) < 0 ? -ENOMEM : 0;
}

static int check_action(const struct target *t, const char *action, struct err *e) {
    if (!action || !is_one_of(action, actions, ARRAY_SIZE(actions)))
        return err_set(e, -EINVAL,
                       "the seccomp profile %s has the action \"%s\"; use SCMP_ACT_ALLOW, SCMP_ACT_ERRNO, ...",
                       t->profile, action ? action : "");
    return 0;
}

static int add_rule(const struct target *t, const json_t *rule, json_t *list, struct err *e) {
    const char *action = json_string_value(json_object_get(rule, "action"));
    const json_t *single = json_object_get(rule, "name"), *errno_ret = json_object_get(rule, "errnoRet"), *name;
    AUTO_JSON json_t *names = json_array(), *out = NULL;
    size_t i;
    int r = check_action(t, action, e);

    if (r < 0 || !applies(t, rule))
        return r;
    if (single)
        r = add_name(t, names, single, e);
    json_array_foreach(json_object_get(rule, "names"), i, name) {
        if (!r)
            r = add_name(t, names, name, e);
    }
    if (r < 0 || !json_array_size(names))
        return r;
    out = json_pack("{s:O, s:s}", "names", names, "action", action);
    if (!out || (json_is_integer(errno_ret) &&
                 json_object_set_new(out, "errnoRet", json_integer(json_integer_value(errno_ret))) < 0))
        return -ENOMEM;
    r = copy_args(t, rule, out, e);
    return r || json_array_append(list, out) == 0 ? r : -ENOMEM;
}

/* What goes over as it stands. */
static int copy_rest(const json_t *profile, json_t *out) {
    static const char *const keys[] = {"defaultErrnoRet", "flags", "listenerPath", "listenerMetadata"};

    for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
        const json_t *value = json_object_get(profile, keys[i]);
        if (value && json_object_set_new(out, keys[i], json_deep_copy(value)) < 0)
            return -ENOMEM;
    }
    return 0;
}

int seccomp_apply(const json_t *profile, const char *name, const json_t *capabilities, const char *arch, json_t **out,
                  struct err *e) {
    struct target t = {.profile = name, .capabilities = capabilities, .arch = arch};
    const char *action = json_string_value(json_object_get(profile, "defaultAction"));
    AUTO_JSON json_t *architectures = NULL, *list = json_array();
    const json_t *rule;
    size_t i;

    int r = seccomp_check(profile, name, e);
    if (!r)
        r = check_action(&t, action, e);
    if (!r)
        r = make_architectures(&t, profile, &architectures, e);
    if (r < 0)
        return r;
    t.allows_the_rest = !strcmp(action, "SCMP_ACT_ALLOW") || !strcmp(action, "SCMP_ACT_LOG");
    json_array_foreach(json_object_get(profile, "syscalls"), i, rule) {
        if (!r)
            r = add_rule(&t, rule, list, e);
    }
    if (r < 0)
        return r;
    *out = json_pack("{s:s, s:O, s:O}", "defaultAction", action, "architectures", architectures, "syscalls", list);
    return *out && copy_rest(profile, *out) == 0 ? 0 : -ENOMEM;
}

/* Before anything else the YAML's word; a container that may do everything has no profile unless it asks for one. */
int make_seccomp(const struct sources *s, const json_t *capabilities, json_t **out, struct err *e) {
    const json_t *bounding = json_object_get(capabilities, "bounding");
    const char *word = pick_string(s, "seccomp", has_all_capabilities(bounding) ? "unconfined" : "default");
    AUTO_JSON json_t *profile = NULL;

    *out = NULL;
    if (!strcmp(word, "unconfined"))
        return 0;
    if (!strcmp(word, "default")) {
        profile = seccomp_default_profile();
        return profile ? seccomp_apply(profile, word, bounding, s->arch, out, e) : -ENOMEM;
    }
    AUTO_FREE char *path = config_source_path(word);
    int r = path ? seccomp_read_file(path, &profile, e) : -ENOMEM;
    if (r < 0)
        return err_wrap(e, r, "could not use the seccomp profile %s (\"default\", \"unconfined\" or a file)", word);
    return seccomp_apply(profile, word, bounding, s->arch, out, e);
}
