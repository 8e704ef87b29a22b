/* SPDX-License-Identifier: Apache-2.0 */
#include "init/mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>

#include "init/report.h"
#include "lib/fdutil.h"

#define NODEV_NOSUID_NOEXEC (MS_NODEV | MS_NOSUID | MS_NOEXEC)

struct mount_point {
    const char *type;
    const char *where;
    unsigned long flags;
    const char *data;
    bool optional; /* a kernel without it is fine */
    mode_t make;   /* directory to make first, 0: none */
};

/* The contract's table, in its order; / is made read-only between the first two. */
static const struct mount_point proc_mount = {"proc", "/proc", NODEV_NOSUID_NOEXEC | MS_RELATIME, NULL, false, 0};
static const struct mount_point mount_points[] = {
    {"tmpfs", "/run", NODEV_NOSUID_NOEXEC | MS_RELATIME, "size=10%,mode=755", false, 0},
    {"tmpfs", "/tmp", NODEV_NOSUID_NOEXEC | MS_RELATIME, "size=10%,mode=1777", false, 0},
    {"tmpfs", "/var", NODEV_NOSUID_NOEXEC | MS_RELATIME, "size=50%,mode=755", false, 0},
    {"devtmpfs", "/dev", MS_NOSUID | MS_NOEXEC | MS_RELATIME, "size=10m,nr_inodes=248418,mode=755", false, 0},
    {"mqueue", "/dev/mqueue", NODEV_NOSUID_NOEXEC, NULL, true, 01777},
    {"tmpfs", "/dev/shm", NODEV_NOSUID_NOEXEC, "mode=1777", false, 01777},
    {"devpts", "/dev/pts", MS_NOEXEC | MS_NOSUID, "gid=5,mode=0620", false, 0755},
    {"sysfs", "/sys", NODEV_NOSUID_NOEXEC, NULL, false, 0},
    {"securityfs", "/sys/kernel/security", NODEV_NOSUID_NOEXEC, NULL, true, 0},
    {"debugfs", "/sys/kernel/debug", NODEV_NOSUID_NOEXEC, NULL, true, 0},
    {"configfs", "/sys/kernel/config", NODEV_NOSUID_NOEXEC, NULL, true, 0},
    {"fusectl", "/sys/fs/fuse/connections", NODEV_NOSUID_NOEXEC, NULL, true, 0},
    {"selinuxfs", "/sys/fs/selinux", MS_NOSUID | MS_NOEXEC, NULL, true, 0},
    {"pstore", "/sys/fs/pstore", NODEV_NOSUID_NOEXEC, NULL, true, 0},
    {"bpf", "/sys/fs/bpf", NODEV_NOSUID_NOEXEC, NULL, true, 0},
    {"efivarfs", "/sys/firmware/efi/efivars", NODEV_NOSUID_NOEXEC, NULL, true, 0},
    {"binfmt_misc", "/proc/sys/fs/binfmt_misc", NODEV_NOSUID_NOEXEC, NULL, true, 0},
};
static const struct mount_point cgroup2 = {"cgroup2", "/sys/fs/cgroup", NODEV_NOSUID_NOEXEC, NULL, false, 0};
static const struct mount_point cgroup_root = {"tmpfs", "/sys/fs/cgroup", NODEV_NOSUID_NOEXEC, "mode=755", false, 0};

static const struct {
    const char *path;
    mode_t mode;
} var_dirs[] = {
    {"/var/cache", 0755}, {"/var/empty", 0555}, {"/var/lib", 0755},   {"/var/local", 0755}, {"/var/lock", 0755},
    {"/var/log", 0755},   {"/var/opt", 0755},   {"/var/spool", 0755}, {"/var/tmp", 01777},
};

static const struct {
    const char *path;
    mode_t mode;
    unsigned major, minor;
} dev_nodes[] = {
    {"/dev/console", 0600, 5, 1}, {"/dev/tty1", 0620, 4, 1},  {"/dev/tty", 0666, 5, 0},
    {"/dev/null", 0666, 1, 3},    {"/dev/kmsg", 0660, 1, 11},
};

static const struct {
    const char *target, *path;
} links[] = {
    {"/proc/self/fd", "/dev/fd"},       {"/proc/self/fd/0", "/dev/stdin"}, {"/proc/self/fd/1", "/dev/stdout"},
    {"/proc/self/fd/2", "/dev/stderr"}, {"/proc/kcore", "/dev/kcore"},     {"/run", "/var/run"},
};

/* mkdir(2) with exactly this mode; an existing directory is fine. */
static int make_dir(const char *path, mode_t mode) {
    if (mkdir(path, mode) == 0)
        return chmod(path, mode);
    return errno == EEXIST ? 0 : -1;
}

/* A kernel without it, or one that is locked down. */
static bool is_not_supported(int error) {
    return error == ENODEV || error == EOPNOTSUPP || error == EPERM;
}

/* False: it is not there, and that was said unless it may be missing. */
static bool mount_one(const struct mount_point *m) {
    struct stat st;

    if (m->make && make_dir(m->where, m->make) < 0)
        report_failed("create", m->where);
    if (m->optional && stat(m->where, &st) < 0) {
        report_unless_absent("look at", m->where);
        return false;
    }
    if (mount(m->type, m->where, m->type, m->flags, m->data) == 0)
        return true;
    if (!m->optional || !is_not_supported(errno))
        report_failed("mount", m->where);
    return false;
}

static bool in_memory(const char *path) {
    struct statfs fs;

    if (statfs(path, &fs) < 0) {
        report_failed("tell the file system of", path);
        return false;
    }
    return fs.f_type == RAMFS_MAGIC || fs.f_type == TMPFS_MAGIC;
}

void root_make_pivotable(void) {
    const char *aside = "/dev"; /* any directory: it is back as soon as the mount has moved on */

    if (!in_memory("/"))
        return;
    (void)mkdir(aside, 0755);
    if (mount("/", aside, NULL, MS_BIND, NULL) < 0 || chdir(aside) < 0 || mount(".", "/", NULL, MS_MOVE, NULL) < 0 ||
        chroot(".") < 0 || chdir("/") < 0)
        report_failed("prepare", "the root for pivot_root");
}

/* In memory the mount is made read-only, not the file system: there is nothing to write back. */
static void root_read_only(void) {
    unsigned long flags = MS_REMOUNT | MS_RDONLY | (in_memory("/") ? MS_BIND : 0);

    if (mount(NULL, "/", NULL, flags, NULL) < 0)
        report_failed("make", "/ read-only");
}

static void mount_controller(const char *name) {
    char path[128], options[96];

    (void)snprintf(path, sizeof(path), "/sys/fs/cgroup/%s", name);
    if (make_dir(path, 0755) < 0) {
        report_failed("create", path);
        return;
    }
    (void)snprintf(options, sizeof(options), "%s", name);
    const struct mount_point m = {"cgroup", path, NODEV_NOSUID_NOEXEC, options, false, 0};
    (void)mount_one(&m);
}

/* /proc/cgroups: "name hierarchy num_cgroups enabled", a line each, the first a heading. */
static void mount_cgroup_v1(void) {
    AUTO_BUF struct buf text = {.max = 8192};

    if (!mount_one(&cgroup_root))
        return;
    if (read_file("/proc/cgroups", 4096, &text, NULL) < 0 || !text.data) {
        report_failed("read", "/proc/cgroups");
        return;
    }
    for (char *line, *pos = text.data; (line = next_line(&pos));) {
        const char *enabled = strrchr(line, '\t');
        bool use = *line != '#' && enabled && !strcmp(enabled, "\t1");
        line[strcspn(line, "\t")] = '\0';
        if (use)
            mount_controller(line);
    }
    const struct mount_point systemd = {
        "cgroup", "/sys/fs/cgroup/systemd", NODEV_NOSUID_NOEXEC, "none,name=systemd", false, 0755};
    (void)mount_one(&systemd);
}

static void make_var(void) {
    for (size_t i = 0; i < ARRAY_SIZE(var_dirs); i++)
        if (make_dir(var_dirs[i].path, var_dirs[i].mode) < 0)
            report_failed("create", var_dirs[i].path);
}

static void make_nodes(void) {
    for (size_t i = 0; i < ARRAY_SIZE(dev_nodes); i++)
        if (mknod(dev_nodes[i].path, S_IFCHR | dev_nodes[i].mode, makedev(dev_nodes[i].major, dev_nodes[i].minor)) <
                0 &&
            errno != EEXIST)
            report_failed("create", dev_nodes[i].path);
    for (size_t i = 0; i < ARRAY_SIZE(links); i++)
        if (symlink(links[i].target, links[i].path) < 0 && errno != EEXIST)
            report_failed("link", links[i].path);
}

void mounts_make_proc(void) {
    static const char *const roots[] = {"/proc", "/run", "/tmp", "/var", "/dev", "/sys"};

    for (size_t i = 0; i < ARRAY_SIZE(roots); i++)
        (void)mkdir(roots[i], 0755); /* as a rule they are there; what is missing shows at its mount */
    (void)mount_one(&proc_mount);
}

void mounts_make(bool cgroup_v1) {
    mode_t mask = umask(0);

    root_read_only();
    for (size_t i = 0; i < ARRAY_SIZE(mount_points); i++)
        (void)mount_one(&mount_points[i]);
    if (cgroup_v1)
        mount_cgroup_v1();
    else
        (void)mount_one(&cgroup2);
    make_var();
    make_nodes();
    if (mount(NULL, "/", NULL, MS_SHARED | MS_REC, NULL) < 0)
        report_failed("share", "/");
    (void)umask(mask);
}
