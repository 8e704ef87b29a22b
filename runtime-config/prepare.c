/* SPDX-License-Identifier: Apache-2.0 */
/* What runtime.json asks for, done in the root namespace. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <linux/magic.h>

#include "lib/fdutil.h"
#include "runtime-config/inside.h"
#include "runtime-config/runtime.h"
#include "runtime-config/runtime_priv.h"

#define OPTIONS_MAX 4096

static const struct {
    const char *name;
    unsigned long set, clear;
} option_flags[] = {
    {"defaults", 0, 0},
    {"ro", MS_RDONLY, 0},
    {"rw", 0, MS_RDONLY},
    {"nosuid", MS_NOSUID, 0},
    {"suid", 0, MS_NOSUID},
    {"nodev", MS_NODEV, 0},
    {"dev", 0, MS_NODEV},
    {"noexec", MS_NOEXEC, 0},
    {"exec", 0, MS_NOEXEC},
    {"sync", MS_SYNCHRONOUS, 0},
    {"async", 0, MS_SYNCHRONOUS},
    {"dirsync", MS_DIRSYNC, 0},
    {"remount", MS_REMOUNT, 0},
    {"mand", MS_MANDLOCK, 0},
    {"nomand", 0, MS_MANDLOCK},
    {"atime", 0, MS_NOATIME},
    {"noatime", MS_NOATIME, 0},
    {"diratime", 0, MS_NODIRATIME},
    {"nodiratime", MS_NODIRATIME, 0},
    {"bind", MS_BIND, 0},
    {"rbind", MS_BIND | MS_REC, 0},
    {"unbindable", MS_UNBINDABLE, 0},
    {"runbindable", MS_UNBINDABLE | MS_REC, 0},
    {"private", MS_PRIVATE, 0},
    {"rprivate", MS_PRIVATE | MS_REC, 0},
    {"slave", MS_SLAVE, 0},
    {"rslave", MS_SLAVE | MS_REC, 0},
    {"shared", MS_SHARED, 0},
    {"rshared", MS_SHARED | MS_REC, 0},
    {"relatime", MS_RELATIME, 0},
    {"norelatime", 0, MS_RELATIME},
    {"strictatime", MS_STRICTATIME, 0},
    {"nostrictatime", 0, MS_STRICTATIME},
    {"lazytime", MS_LAZYTIME, 0},
    {"nolazytime", 0, MS_LAZYTIME},
    {"iversion", MS_I_VERSION, 0},
    {"noiversion", 0, MS_I_VERSION},
    {"silent", MS_SILENT, 0},
    {"loud", 0, MS_SILENT},
    {"nosymfollow", MS_NOSYMFOLLOW, 0},
    {"symfollow", 0, MS_NOSYMFOLLOW},
};

#define PROPAGATION ((unsigned long)(MS_PRIVATE | MS_SLAVE | MS_SHARED | MS_UNBINDABLE))

static bool apply_flag(const char *option, unsigned long *flags) {
    for (size_t i = 0; i < ARRAY_SIZE(option_flags); i++)
        if (!strcmp(option_flags[i].name, option)) {
            *flags = (*flags | option_flags[i].set) & ~option_flags[i].clear;
            return true;
        }
    return false;
}

int mount_options(const struct strings *options, unsigned long *flags, char *data, size_t len) {
    size_t used = 0;

    *flags = 0;
    data[0] = '\0';
    for (size_t i = 0; i < options->len; i++) {
        if (apply_flag(options->v[i], flags))
            continue;
        int n = snprintf(data + used, len - used, "%s%s", used ? "," : "", options->v[i]);
        if (n < 0 || (size_t)n >= len - used)
            return -E2BIG;
        used += (size_t)n;
    }
    return 0;
}

static int make_overlay_dirs(const struct strings *options, struct err *e) {
    for (size_t i = 0; i < options->len; i++) {
        const char *value = strchr(options->v[i], '=');
        bool dir = !strncmp(options->v[i], "upperdir=", 9) || !strncmp(options->v[i], "workdir=", 8);
        int r = dir ? mkdir_p(value + 1, 0755, e) : 0;
        if (r < 0)
            return r;
    }
    return 0;
}

/*
 * A bind takes no flags, and a remount would lose those that its source has: mount_setattr(2) adds to them. Before
 * Linux 5.12 there is only the remount.
 */
static int set_bind_flags(const char *where, unsigned long flags) {
    static const struct {
        unsigned long flag;
        uint64_t attr;
    } attrs[] = {{MS_RDONLY, MOUNT_ATTR_RDONLY},
                 {MS_NOSUID, MOUNT_ATTR_NOSUID},
                 {MS_NODEV, MOUNT_ATTR_NODEV},
                 {MS_NOEXEC, MOUNT_ATTR_NOEXEC},
                 {MS_NOATIME, MOUNT_ATTR_NOATIME},
                 {MS_NODIRATIME, MOUNT_ATTR_NODIRATIME},
                 {MS_NOSYMFOLLOW, MOUNT_ATTR_NOSYMFOLLOW}};
    struct mount_attr attr = {.attr_clr = flags & MS_NOATIME ? MOUNT_ATTR__ATIME : 0};

    for (size_t i = 0; i < ARRAY_SIZE(attrs); i++)
        attr.attr_set |= flags & attrs[i].flag ? attrs[i].attr : 0;
    if (!attr.attr_set || mount_setattr(AT_FDCWD, where, 0, &attr, sizeof(attr)) == 0)
        return 0;
    if (errno != ENOSYS)
        return -errno;
    return mount(NULL, where, NULL, MS_REMOUNT | MS_BIND | (flags & ~(unsigned long)MS_REC), NULL) < 0 ? -errno : 0;
}

/* mount(2) cannot change propagation together with anything else. */
static int do_mount(const struct runtime_mount *m, const char *where, unsigned long flags, const char *data) {
    unsigned long propagation = flags & PROPAGATION;
    unsigned long rest = flags & ~(propagation ? PROPAGATION | MS_REC : 0UL);
    bool only_propagation = propagation && !*m->type && !(rest & ~(unsigned long)MS_REMOUNT) && !*data;

    if (propagation && (rest & MS_BIND))
        rest |= flags & MS_REC;
    if (!only_propagation && mount(m->source, where, *m->type ? m->type : NULL, rest, data) < 0)
        return -errno;
    if ((rest & MS_BIND) && !(rest & MS_REMOUNT)) {
        int r = set_bind_flags(where, rest);
        if (r < 0)
            return r;
    }
    if (propagation && mount(NULL, where, NULL, propagation | (flags & MS_REC), NULL) < 0)
        return -errno;
    return 0;
}

static bool binds_file(const struct runtime_mount *m, unsigned long flags) {
    struct stat st;

    return (flags & MS_BIND) && !(flags & MS_REMOUNT) && stat(m->source, &st) == 0 && !S_ISDIR(st.st_mode);
}

static int mount_one(const struct runtime_mount *m, const char *bundle, struct err *e) {
    AUTO_FREE char *where = NULL;
    char data[OPTIONS_MAX];
    unsigned long flags;

    if (mount_options(&m->options, &flags, data, sizeof(data)) < 0)
        return err_set(e, -E2BIG, "could not mount %s: its options are longer than %d bytes", m->destination,
                       OPTIONS_MAX);
    int r = inside_path(bundle, m->destination, binds_file(m, flags) ? INSIDE_FILE : INSIDE_DIR, &where, e);
    if (!r && !strcmp(m->type, "overlay"))
        r = make_overlay_dirs(&m->options, e);
    if (r < 0)
        return r;
    r = do_mount(m, where, flags, data);
    return r < 0 ? err_errno(e, r, "could not mount %s on %s", *m->source ? m->source : m->type, where) : 0;
}

static bool leads_up(const char *path) {
    for (const char *at = path; (at = strstr(at, "..")); at += 2)
        if ((at == path || at[-1] == '/') && (at[2] == '/' || !at[2]))
            return true;
    return false;
}

static int make_cgroup(const char *path, struct err *e) {
    static const char root[] = "/sys/fs/cgroup";
    AUTO_NAMES struct names controllers = {0};
    AUTO_FREE char *unified = path_join(root, path);
    struct stat st;

    if (!unified)
        return err_errno(e, -ENOMEM, "could not create cgroup %s", path);
    if (leads_up(path))
        return err_set(e, -EINVAL, "could not create cgroup %s: it is not below %s", path, root);
    if (stat("/sys/fs/cgroup/cgroup.controllers", &st) == 0)
        return mkdir_p(unified, 0755, e);
    int r = list_dir(root, &controllers, e);
    for (size_t i = 0; i < controllers.len && !r; i++) {
        AUTO_FREE char *dir = NULL;
        if (asprintf(&dir, "%s/%s/%s", root, controllers.v[i], path) < 0) {
            dir = NULL;
            return err_errno(e, -ENOMEM, "could not create cgroup %s", path);
        }
        r = mkdir_p(dir, 0755, e);
    }
    return r;
}

static int make_dir(const char *bundle, const char *path, struct err *e) {
    AUTO_FREE char *dir = NULL;

    return inside_path(bundle, path, INSIDE_DIR, &dir, e);
}

int runtime_prepare(const struct runtime *rt, const char *bundle, struct err *e) {
    for (size_t i = 0; i < rt->cgroups.len; i++) {
        int r = make_cgroup(rt->cgroups.v[i], e);
        if (r < 0)
            return err_wrap(e, r, "$.cgroups[%zu]", i);
    }
    for (size_t i = 0; i < rt->mounts_len; i++) {
        int r = mount_one(&rt->mounts[i], bundle, e);
        if (r < 0)
            return err_wrap(e, r, "$.mounts[%zu]", i);
    }
    for (size_t i = 0; i < rt->mkdir.len; i++) {
        int r = make_dir(bundle, rt->mkdir.v[i], e);
        if (r < 0)
            return err_wrap(e, r, "$.mkdir[%zu]", i);
    }
    return 0;
}

bool runtime_may_block(const struct runtime *rt) {
    static const char *const quick[] = {"", "bind", "none", "tmpfs", "overlay", "proc", "sysfs", "devpts", "mqueue"};

    for (size_t i = 0; i < rt->mounts_len; i++) {
        bool is_quick = false;
        for (size_t k = 0; k < ARRAY_SIZE(quick); k++)
            is_quick |= !strcmp(quick[k], rt->mounts[i].type);
        if (!is_quick)
            return true;
    }
    return false;
}

bool runtime_is_namespace(const char *path) {
    struct statfs fs;

    return statfs(path, &fs) == 0 && fs.f_type == NSFS_MAGIC;
}

/* A path that is something else stays what it is. */
static void unbind_ns(const char *path) {
    if (runtime_is_namespace(path))
        (void)umount2(path, MNT_DETACH);
}

static int bind_ns(int pid, const char *ns, const char *path, struct err *e) {
    char from[64];
    AUTO_FREE char *dir = strdup(path);
    char *slash = dir ? strrchr(dir, '/') : NULL;

    if (!slash)
        return err_errno(e, -ENOMEM, "could not bind namespace %s to %s", ns, path);
    *slash = '\0';
    int r = *dir ? mkdir_p(dir, 0755, e) : 0;
    if (r < 0)
        return r;
    unbind_ns(path); /* of the life before; a bound namespace cannot be opened for writing */
    /* Nobody must have to wait here for who reads a FIFO in its place. */
    AUTO_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0644);
    if (fd < 0)
        return err_errno(e, -errno, "could not create %s", path);
    (void)snprintf(from, sizeof(from), "/proc/%d/ns/%s", pid, ns);
    if (mount(from, path, NULL, MS_BIND, NULL) < 0)
        return err_errno(e, -errno, "could not bind %s to %s", from, path);
    return 0;
}

int runtime_bind_namespaces(const struct runtime *rt, int pid, struct err *e) {
    for (int i = 0; i < NS_COUNT; i++)
        if (rt->bind_ns[i] && *rt->bind_ns[i]) {
            int r = bind_ns(pid, ns_names[i], rt->bind_ns[i], e);
            if (r < 0)
                return err_wrap(e, r, "$.bindNS.%s", ns_names[i]);
        }
    return 0;
}

void runtime_unbind_namespaces(const struct runtime *rt) {
    for (int i = 0; i < NS_COUNT; i++)
        if (rt->bind_ns[i] && *rt->bind_ns[i])
            unbind_ns(rt->bind_ns[i]);
}

int runtime_prepare_process(const struct runtime *rt, int pid, const char *notes, struct err *e) {
    int r = interfaces_give(&rt->interfaces, pid, notes, e);

    return r < 0 ? r : runtime_bind_namespaces(rt, pid, e);
}

/* A read-only root is a bind without a type; a remount, or a change of propagation, adds no mount. */
static bool adds_a_mount(const struct runtime_mount *m) {
    char data[OPTIONS_MAX];
    unsigned long flags;

    if (mount_options(&m->options, &flags, data, sizeof(data)) < 0)
        return false; /* it was refused */
    return !(flags & MS_REMOUNT) && (*m->type || flags & MS_BIND);
}

static void unmount(const struct runtime *rt, const char *bundle, bool only_below) {
    size_t len = strlen(bundle);

    for (size_t i = rt->mounts_len; i-- > 0;) {
        const char *to = rt->mounts[i].destination;
        bool below = *to != '/' || (!strncmp(to, bundle, len) && to[len] == '/');
        AUTO_FREE char *where = NULL;
        if ((only_below && !below) || !adds_a_mount(&rt->mounts[i]))
            continue;
        if (inside_path(bundle, to, INSIDE_FIND, &where, NULL) == 0)
            (void)umount2(where, MNT_DETACH);
    }
}

void runtime_unmount(const struct runtime *rt, const char *bundle) {
    unmount(rt, bundle, false);
}

void runtime_unmount_bundle(const struct runtime *rt, const char *bundle) {
    unmount(rt, bundle, true);
}
