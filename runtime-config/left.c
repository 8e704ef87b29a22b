/* SPDX-License-Identifier: Apache-2.0 */
/* What stays of a container's preparation, as it is found: whoever looks why it failed looks there. */
#include <errno.h>
#include <mntent.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/json.h"
#include "runtime-config/inside.h"
#include "runtime-config/runtime.h"
#include "runtime-config/runtime_priv.h"

#define MOUNT_LINE_MAX 8192

static int add(json_t *list, const char *what, const char *where) {
    return json_array_append_new(list, json_sprintf("%s %s", what, where)) < 0 ? -ENOMEM : 0;
}

static bool is_mounted(const char *where) {
    char line[MOUNT_LINE_MAX];
    struct mntent entry;
    bool found = false;
    FILE *f = setmntent("/proc/self/mounts", "re");

    while (f && !found && getmntent_r(f, &entry, line, sizeof(line)))
        found = !strcmp(entry.mnt_dir, where);
    if (f)
        (void)endmntent(f);
    return found;
}

/* A place is named once, however often it is mounted on. */
static bool seen_before(const struct runtime *rt, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (!strcmp(rt->mounts[i].destination, rt->mounts[n].destination))
            return true;
    return false;
}

static int add_mounts(const struct runtime *rt, const char *bundle, json_t *list) {
    int r = 0;

    for (size_t i = 0; i < rt->mounts_len && !r; i++) {
        AUTO_FREE char *where = NULL;
        if (!seen_before(rt, i) && inside_path(bundle, rt->mounts[i].destination, INSIDE_FIND, &where, NULL) == 0 &&
            is_mounted(where))
            r = add(list, "mount", where);
    }
    return r;
}

static int add_cgroups(const struct runtime *rt, json_t *list) {
    int r = 0;

    for (size_t i = 0; i < rt->cgroups.len && !r; i++)
        r = add(list, "cgroup", rt->cgroups.v[i]);
    return r;
}

/* Those in the root; the others are in a namespace that is bound, or gone with it. */
static int add_interfaces(const char *notes, json_t *list) {
    AUTO_JSON json_t *names = json_array();
    const json_t *name;
    size_t i;
    int r = names ? 0 : -ENOMEM;

    if (!r)
        interfaces_noted(notes, names);
    json_array_foreach(names, i, name) {
        if (!r)
            r = add(list, "interface", json_string_value(name));
    }
    return r;
}

static int add_namespaces(const struct runtime *rt, json_t *list) {
    int r = 0;

    for (int i = 0; i < NS_COUNT && !r; i++)
        if (*rt->bind_ns[i] && runtime_is_namespace(rt->bind_ns[i]))
            r = add(list, "namespace", rt->bind_ns[i]);
    return r;
}

int runtime_left(const struct runtime *rt, const char *bundle, const char *notes, json_t *list) {
    int r = add_cgroups(rt, list);

    if (!r)
        r = add_mounts(rt, bundle, list);
    if (!r)
        r = add_interfaces(notes, list);
    return r < 0 ? r : add_namespaces(rt, list);
}
