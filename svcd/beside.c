/* SPDX-License-Identifier: Apache-2.0 */
#include "svcd/beside.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "lib/fdutil.h"
#include "lib/json.h"
#include "runtime-config/runtime.h"
#include "svcd/spec.h"

#define STEP_ONBOOT "010-onboot"
#define STEP_CONTAINERD "020-containerd"

const struct beside_places beside_places = {"", "/containers/onboot", "/etc/init.d"};

/*
 * What containerd uses. A file system that is mounted below one of the first kind changes nothing for it. Through /proc
 * one comes to its namespaces.
 */
static const struct {
    const char *path;
    bool below;
} uses[] = {
    {"/proc", false},
    {"/usr/bin", false},
    {"/lib", false},
    {"/lib64", false},
    {"/usr/lib", false},
    {"/etc/containerd", true},
    {"/run/keelson", true},
    {"/var/log", true},
    {"/run/containerd", true},
    {"/opt/containerd", true},
    {"/var/lib/containerd", true},
};

static bool is_at_or_below(const char *path, const char *dir) {
    size_t len = strcmp(dir, "/") ? strlen(dir) : 0;

    return !strncmp(path, dir, len) && (!path[len] || path[len] == '/');
}

/* malloc'd: without links as far as it is there, and as it stands from there on. NULL: nobody knows where it leads. */
static char *resolve(const char *root, const char *path) {
    AUTO_FREE char *full = path_join(root, path);
    char found[PATH_MAX];

    for (size_t len = full ? strlen(full) : 0; len > 0;) {
        AUTO_FREE char *head = strndup(full, len);
        if (head && realpath(head, found))
            return full[len] ? path_join(found, full + len + 1) : strdup(found);
        if (!head || errno != ENOENT || strstr(full + len, ".."))
            return NULL;
        while (len > 0 && full[--len] != '/')
            ;
    }
    return full ? strdup(full) : NULL;
}

static int check_path(const struct beside_places *at, const char *path, struct err *why) {
    AUTO_FREE char *real = resolve(at->root, path);

    for (size_t i = 0; i < ARRAY_SIZE(uses); i++) {
        AUTO_FREE char *used = resolve(at->root, uses[i].path);
        if (!real || !used)
            return err_set(why, -EBUSY, "it has %s, of which is not known where it leads", path);
        if (is_at_or_below(used, real) || (uses[i].below && is_at_or_below(real, used)))
            return err_set(why, -EBUSY, "it has %s, and containerd uses %s", path, uses[i].path);
    }
    return 0;
}

static bool is_shared(const char *propagation) {
    static const char *const words[] = {"shared", "rshared"};

    for (size_t i = 0; propagation && i < ARRAY_SIZE(words); i++)
        if (!strcmp(propagation, words[i]))
            return true;
    return false;
}

/* What it mounts in its own namespace stays there, unless it is shared with ours. */
static int check_mount(const struct beside_places *at, const json_t *mount, struct err *why) {
    const char *source = json_string_value(json_object_get(mount, "source"));
    const json_t *option;
    size_t i;

    json_array_foreach(
        json_object_get(mount, "options"), i,
        option) if (is_shared(json_string_value(option))) return err_set(why, -EBUSY,
                                                                         "what it mounts below %s is seen by all",
                                                                         source ? source : "a shared mount");
    return source && *source == '/' ? check_path(at, source, why) : 0;
}

static bool has_capability(const json_t *spec, const char *name) {
    const json_t *bounding =
        json_object_get(json_object_get(json_object_get(spec, "process"), "capabilities"), "bounding");
    const json_t *cap;
    size_t i;

    json_array_foreach(bounding, i, cap) {
        const char *is = json_string_value(cap);
        if (is && !strcmp(is, name))
            return true;
    }
    return false;
}

/* /proc/1 leads to ours, for who sees it and may enter it. */
static bool may_enter_ours(const json_t *spec) {
    return !spec_has_own(spec, "pid") && has_capability(spec, "CAP_SYS_ADMIN") &&
           (has_capability(spec, "CAP_SYS_CHROOT") || has_capability(spec, "CAP_SYS_PTRACE"));
}

static int check_spec(const struct beside_places *at, const json_t *spec, struct err *why) {
    const json_t *propagation = json_object_get(json_object_get(spec, "linux"), "rootfsPropagation");
    const json_t *mount;
    size_t i;
    int r = 0;

    if (!spec_has_own(spec, "mount"))
        return err_set(why, -EBUSY, "it has no mount namespace of its own");
    if (json_object_size(json_object_get(spec, "hooks")) > 0)
        return err_set(why, -EBUSY, "it has hooks");
    if (is_shared(json_string_value(propagation)))
        return err_set(why, -EBUSY, "what it mounts is seen by all");
    if (may_enter_ours(spec))
        return err_set(why, -EBUSY, "it may enter the mount namespace of PID 1");
    json_array_foreach(json_object_get(spec, "mounts"), i, mount) r = r ? r : check_mount(at, mount, why);
    return r;
}

/* What is relative is in its own root. */
static int check_place(const struct beside_places *at, const json_t *path, struct err *why) {
    const char *text = json_string_value(path);

    return text && *text == '/' ? check_path(at, text, why) : 0;
}

/* A runtime.json that is not what it should be is refused before anything is mounted. */
static int check_runtime(const struct beside_places *at, const json_t *runtime, struct err *why) {
    const json_t *mount, *place;
    const char *type;
    size_t i;
    int r = 0;

    json_array_foreach(json_object_get(runtime, "mounts"), i, mount) {
        r = r ? r : check_place(at, json_object_get(mount, "destination"), why);
        r = r ? r : check_place(at, json_object_get(mount, "source"), why);
    }
    json_object_foreach((json_t *)(uintptr_t)json_object_get(runtime, "bindNS"), type, place) r =
        r ? r : check_place(at, place, why);
    return r;
}

static int check_bundle(const struct beside_places *at, const char *name, struct err *why) {
    AUTO_FREE char *bundle = path_join(at->onboot, name);
    AUTO_FREE char *path = bundle ? path_join(bundle, "runtime.json") : NULL;
    AUTO_JSON json_t *spec = NULL;
    AUTO_JSON json_t *runtime = NULL;

    if (!path)
        return err_errno(why, -ENOMEM, "could not look at %s", name);
    int r = spec_read(bundle, &spec, why);
    if (!r)
        r = check_spec(at, spec, why);
    if (r)
        return r;
    r = json_load_path(path, RUNTIME_JSON_MAX, &runtime, why);
    return r == -ENOENT ? 0 : r < 0 ? r : check_runtime(at, runtime, why);
}

/* Somebody's own step in between may mount whatever it likes, as may one in place of ours. */
static int check_steps(const struct beside_places *at, struct err *why) {
    AUTO_NAMES struct names names = {0};
    AUTO_FREE char *path = path_join(at->init_d, STEP_CONTAINERD);
    AUTO_FREE char *target = path ? realpath(path, NULL) : NULL;
    AUTO_FREE char *ours = realpath("/proc/self/exe", NULL);
    int r = list_dir(at->init_d, &names, why);

    if (r < 0)
        return r;
    if (!target || !ours || strcmp(target, ours) != 0)
        return err_set(why, -EBUSY, "%s/%s is none of keelson's", at->init_d, STEP_CONTAINERD);
    for (size_t i = 0; i < names.len; i++)
        if (strcmp(names.v[i], STEP_ONBOOT) > 0 && strcmp(names.v[i], STEP_CONTAINERD) < 0)
            return err_set(why, -EBUSY, "%s/%s comes before containerd", at->init_d, names.v[i]);
    return 0;
}

int beside_check(const struct beside_places *at, struct err *why) {
    AUTO_NAMES struct names names = {0};
    int r = check_steps(at, why);

    if (!r)
        r = list_dir(at->onboot, &names, why);
    for (size_t i = 0; i < names.len && !r; i++) {
        r = check_bundle(at, names.v[i], why);
        if (r)
            r = err_wrap(why, r, "%s", names.v[i]);
    }
    return r;
}
