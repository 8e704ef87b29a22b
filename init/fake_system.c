/* SPDX-License-Identifier: Apache-2.0 */
#include "init/fake_system.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <sys/wait.h>

#include "init/fake_calls.h"
#include "lib/spawn.h"

#define FDS_MAX 256
#define CHILDREN_MAX 32
#define FIRST_PID 1000

static struct {
    bool on;
    const struct fake_file *files;
    size_t failing;
    int error;
    const char *always; /* what always fails; NULL: nothing */
    int always_error;
    char calls[FAKE_CALLS_MAX][128];
    size_t calls_len;
    char fds[FDS_MAX][64]; /* what each stands for; "": not ours */
    char said[32768];
    struct {
        char name[48];
        bool lives;
        int status; /* once it has ended, until it is reaped */
        bool reaped;
    } children[CHILDREN_MAX];
    size_t children_len;
} fake;

bool fake_is_on(void) {
    return fake.on;
}

bool fake_fails(const char *fmt, ...) {
    va_list ap;

    if (fake.calls_len == FAKE_CALLS_MAX)
        abort();
    va_start(ap, fmt);
    (void)vsnprintf(fake.calls[fake.calls_len], sizeof(*fake.calls), fmt, ap);
    va_end(ap);
    const char *call = fake.calls[fake.calls_len];
    if (fake.always && !strncmp(call, fake.always, strlen(fake.always)))
        errno = fake.always_error;
    else if (fake.calls_len == fake.failing)
        errno = fake.error;
    else
        call = NULL;
    fake.calls_len++;
    return call != NULL;
}

static const struct fake_file *find_file(const char *path) {
    for (const struct fake_file *f = fake.files; f->path; f++)
        if (!strcmp(f->path, path))
            return f;
    return NULL;
}

const char *fake_fd_name(int fd) {
    return fd == STDERR_FILENO ? "stderr" : fd >= 0 && fd < FDS_MAX && *fake.fds[fd] ? fake.fds[fd] : "?";
}

static int name_fd(int fd, const char *name) {
    if (fd < 0 || fd >= FDS_MAX)
        abort();
    (void)snprintf(fake.fds[fd], sizeof(*fake.fds), "%s", name);
    return fd;
}

ssize_t REAL(pwrite)(int fd, const void *data, size_t len, off_t where);

int fake_new_fd(const char *name, const char *text) {
    int fd = memfd_create(name, MFD_CLOEXEC);

    if (fd >= 0 && text && REAL(pwrite)(fd, text, strlen(text), 0) != (ssize_t)strlen(text))
        abort();
    return name_fd(fd, name);
}

static bool is_console(const char *name) {
    return !strcmp(name, "stderr") || !strcmp(name, "/dev/ttyS0") || !strcmp(name, "/dev/console");
}

void fake_on(const struct fake_file *files, size_t failing, int error) {
    memset(&fake, 0, sizeof(fake));
    fake.on = true;
    fake.files = files;
    fake.failing = failing;
    fake.error = error;
}

void fake_always_fails(const char *call, int error) {
    fake.always = call;
    fake.always_error = error;
}

void fake_off(void) {
    fake.on = false;
    for (int fd = 3; fd < FDS_MAX; fd++)
        if (*fake.fds[fd])
            (void)close(fd); /* some have been closed by who had opened them */
}

const char *fake_call(size_t i) {
    return i < fake.calls_len ? fake.calls[i] : NULL;
}

unsigned fake_count(const char *call) {
    unsigned n = 0;

    for (size_t i = 0; i < fake.calls_len; i++)
        n += !strncmp(fake.calls[i], call, strlen(call));
    return n;
}

const char *fake_said(void) {
    return fake.said;
}

void fake_end_child(pid_t pid, int status) {
    size_t i = (size_t)(pid - FIRST_PID);

    if (i >= fake.children_len || !fake.children[i].lives)
        abort();
    fake.children[i].lives = false;
    fake.children[i].status = status;
}

/* --- the calls --- */

/* Files: what the table has, and all that is created. */

static int open_file(const char *path, int flags) {
    const struct fake_file *f = find_file(path);

    if (fake_fails("open %s", path))
        return -1;
    if (!f && !(flags & O_CREAT)) {
        errno = ENOENT;
        return -1;
    }
    return fake_new_fd(path, f ? f->text : NULL);
}

static mode_t mode_of(int flags, va_list ap) {
    return flags & (O_CREAT | O_TMPFILE) ? va_arg(ap, mode_t) : 0;
}

CALL(int, open, const char *path, int flags, ...) {
    va_list ap;

    va_start(ap, flags);
    mode_t mode = mode_of(flags, ap);
    va_end(ap);
    return fake.on ? open_file(path, flags) : REAL(open)(path, flags, mode);
}

CALL(int, openat, int dirfd, const char *path, int flags, ...) {
    va_list ap;

    va_start(ap, flags);
    mode_t mode = mode_of(flags, ap);
    va_end(ap);
    if (!fake.on)
        return REAL(openat)(dirfd, path, flags, mode);
    if (*path == '/')
        return open_file(path, flags);
    return fake_fails("openat %s", path) ? -1 : fake_new_fd(path, NULL);
}

CALL(int, access, const char *path, int mode) {
    if (!fake.on)
        return REAL(access)(path, mode);
    if (fake_fails("access %s", path))
        return -1;
    errno = ENOENT;
    return find_file(path) ? 0 : -1;
}

/* A directory is a file, too: one that holds the names. */
CALL(DIR *, opendir, const char *path) {
    if (!fake.on)
        return REAL(opendir)(path);
    const struct fake_file *f = find_file(path);
    if (fake_fails("opendir %s", path))
        return NULL;
    if (!f) {
        errno = ENOENT;
        return NULL;
    }
    return (DIR *)(uintptr_t)fdopen(fake_new_fd(path, f->names), "re");
}

CALL(struct dirent *, readdir, DIR *dir) {
    static struct dirent entry;
    FILE *f = (FILE *)(uintptr_t)dir;

    if (!fake.on)
        return REAL(readdir)(dir);
    if (fake_fails("readdir %s", fake_fd_name(fileno(f))))
        return NULL;
    entry.d_type = DT_REG;
    return fscanf(f, "%255s", entry.d_name) == 1 ? &entry : NULL;
}

CALL(int, dirfd, DIR *dir) {
    return fake.on ? fileno((FILE *)(uintptr_t)dir) : REAL(dirfd)(dir);
}

CALL(int, closedir, DIR *dir) {
    return fake.on ? fclose((FILE *)(uintptr_t)dir) : REAL(closedir)(dir);
}

CALL(ssize_t, read, int fd, void *data, size_t len) {
    if (!fake.on)
        return REAL(read)(fd, data, len);
    return fake_fails("read %s", fake_fd_name(fd)) ? -1 : REAL(read)(fd, data, len);
}

CALL(ssize_t, write, int fd, const void *data, size_t len) {
    size_t used = strlen(fake.said);

    if (!fake.on)
        return REAL(write)(fd, data, len);
    if (fake_fails("write %s", fake_fd_name(fd)))
        return -1;
    if (is_console(fake_fd_name(fd)))
        (void)snprintf(fake.said + used, sizeof(fake.said) - used, "%.*s", (int)len, (const char *)data);
    return (ssize_t)len;
}

CALL(ssize_t, pwrite, int fd, const void *data, size_t len, off_t where) {
    if (!fake.on)
        return REAL(pwrite)(fd, data, len, where);
    return fake_fails("pwrite %s", fake_fd_name(fd)) ? -1 : (ssize_t)len;
}

CALL(int, flock, int fd, int operation) {
    if (!fake.on)
        return REAL(flock)(fd, operation);
    return -fake_fails("flock %s", fake_fd_name(fd));
}

CALL(int, fcntl, int fd, int command, ...) {
    va_list ap;

    va_start(ap, command);
    int argument = va_arg(ap, int);
    va_end(ap);
    if (!fake.on)
        return REAL(fcntl)(fd, command, argument);
    return -fake_fails("fcntl %s", fake_fd_name(fd));
}

CALL(int, dup2, int from, int to) {
    if (!fake.on)
        return REAL(dup2)(from, to);
    return fake_fails("dup2 %s %d", fake_fd_name(from), to) ? -1 : to;
}

CALL(int, pipe2, int ends[2], int flags) {
    if (!fake.on)
        return REAL(pipe2)(ends, flags);
    if (fake_fails("pipe2"))
        return -1;
    ends[0] = fake_new_fd("pipe's end", NULL);
    ends[1] = fake_new_fd("pipe", NULL);
    return 0;
}

CALL(int, stat, const char *path, struct stat *st) {
    bool program = !strncmp(path, "/etc/init.d/", 12) || !strncmp(path, "/etc/shutdown.d/", 16);

    if (!fake.on)
        return REAL(stat)(path, st);
    *st = (struct stat){.st_mode = program ? S_IFREG | 0755 : S_IFDIR | 0755, .st_dev = 7};
    return -fake_fails("stat %s", path);
}

CALL(int, fstat, int fd, struct stat *st) {
    if (!fake.on)
        return REAL(fstat)(fd, st);
    *st = (struct stat){.st_mode = S_IFREG | 0644};
    return -fake_fails("fstat %s", fake_fd_name(fd));
}

CALL(int, statfs, const char *path, struct statfs *fs) {
    if (!fake.on)
        return REAL(statfs)(path, fs);
    *fs = (struct statfs){.f_type = TMPFS_MAGIC};
    return -fake_fails("statfs %s", path);
}

CALL(ssize_t, readlink, const char *path, char *to, size_t len) {
    static const char target[] = "/run/resolvconf/resolv.conf";

    if (!fake.on)
        return REAL(readlink)(path, to, len);
    if (fake_fails("readlink %s", path))
        return -1;
    memcpy(to, target, sizeof(target) - 1); /* shorter than any buffer of ours */
    return (ssize_t)sizeof(target) - 1;
}

CALL(int, mkdir, const char *path, mode_t mode) {
    return fake.on ? -fake_fails("mkdir %s %o", path, mode) : REAL(mkdir)(path, mode);
}

CALL(int, chmod, const char *path, mode_t mode) {
    return fake.on ? -fake_fails("chmod %s %o", path, mode) : REAL(chmod)(path, mode);
}

CALL(int, mknod, const char *path, mode_t mode, dev_t dev) {
    if (!fake.on)
        return REAL(mknod)(path, mode, dev);
    return -fake_fails("mknod %s %o %u:%u", path, mode, major(dev), minor(dev));
}

CALL(int, symlink, const char *target, const char *path) {
    return fake.on ? -fake_fails("symlink %s %s", target, path) : REAL(symlink)(target, path);
}

CALL(int, chdir, const char *path) {
    return fake.on ? -fake_fails("chdir %s", path) : REAL(chdir)(path);
}

CALL(int, chroot, const char *path) {
    return fake.on ? -fake_fails("chroot %s", path) : REAL(chroot)(path);
}

static const char *mount_flags(unsigned long flags, char *out, size_t len) {
    static const struct {
        unsigned long flag;
        const char *name;
    } names[] = {{MS_REMOUNT, "remount"}, {MS_BIND, "bind"},        {MS_MOVE, "move"},   {MS_SHARED, "shared"},
                 {MS_REC, "rec"},         {MS_RDONLY, "ro"},        {MS_NODEV, "nodev"}, {MS_NOSUID, "nosuid"},
                 {MS_NOEXEC, "noexec"},   {MS_RELATIME, "relatime"}};
    size_t used = 0;

    *out = '\0';
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (flags & names[i].flag)
            used += (size_t)snprintf(out + used, len - used, "%s%s", used ? "," : "", names[i].name);
    return out;
}

CALL(int, mount, const char *source, const char *where, const char *type, unsigned long flags, const void *data) {
    char text[96];

    if (!fake.on)
        return REAL(mount)(source, where, type, flags, data);
    return -fake_fails("mount %s %s %s%s%s",
                       type     ? type
                       : source ? source
                                : "-",
                       where, mount_flags(flags, text, sizeof(text)), data ? " " : "", data ? (const char *)data : "");
}

CALL(int, umount2, const char *where, int flags) {
    return fake.on ? -fake_fails("umount %s%s", where, flags & MNT_DETACH ? " lazily" : "")
                   : REAL(umount2)(where, flags);
}

/* Children. */

CALL(int, spawn, const struct spawn *s, pid_t *pid, int *pidfd, struct err *e) {
    if (!fake.on)
        return REAL(spawn)(s, pid, pidfd, e);
    *pid = 0;
    if (fake_fails("spawn %s", s->argv[0]))
        return err_errno(e, -fake.error, "could not run %s", s->argv[0]);
    if (fake.children_len == CHILDREN_MAX)
        abort();
    (void)snprintf(fake.children[fake.children_len].name, sizeof(fake.children->name), "%s", s->argv[0]);
    fake.children[fake.children_len].lives = true;
    *pid = FIRST_PID + (pid_t)fake.children_len++;
    return 0;
}

static bool any_is_left(void) {
    for (size_t i = 0; i < fake.children_len; i++)
        if (!fake.children[i].reaped)
            return true;
    return false;
}

CALL(pid_t, waitpid, pid_t which, int *status, int options) {
    if (!fake.on)
        return REAL(waitpid)(which, status, options);
    for (size_t i = 0; i < fake.children_len; i++)
        if (!fake.children[i].lives && !fake.children[i].reaped) {
            fake.children[i].reaped = true;
            *status = fake.children[i].status;
            return FIRST_PID + (pid_t)i;
        }
    errno = ECHILD;
    return any_is_left() ? 0 : -1;
}

CALL(int, waitid, idtype_t type, id_t id, siginfo_t *info, int options) {
    if (!fake.on)
        return REAL(waitid)(type, id, info, options);
    errno = ECHILD;
    return any_is_left() ? 0 : -1;
}

CALL(int, kill, pid_t pid, int sig) {
    size_t i = (size_t)(pid < 0 ? -pid : pid) - FIRST_PID;

    if (!fake.on)
        return REAL(kill)(pid, sig);
    return -fake_fails("kill %s %d", pid == -1 ? "all" : i < fake.children_len ? fake.children[i].name : "?", sig);
}

CALL(int, reboot, int action) {
    if (!fake.on)
        return REAL(reboot)(action);
    errno = EPERM;
    return -(fake_fails("reboot %#x", (unsigned)action) || action != RB_DISABLE_CAD);
}

CALL(void, sync, void) {
    if (fake.on)
        (void)fake_fails("sync");
    else
        REAL(sync)();
}
