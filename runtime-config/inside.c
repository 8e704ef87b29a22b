/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime-config/inside.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <linux/openat2.h>

#include "lib/fdutil.h"

static int open_inside(int root, const char *path, uint64_t type) {
    const struct open_how how = {.flags = O_PATH | O_CLOEXEC | type, .resolve = RESOLVE_IN_ROOT};
    long fd = syscall(SYS_openat2, root, *path ? path : ".", &how, sizeof(how));

    return fd < 0 ? -errno : (int)fd;
}

static int make_file(int dir, const char *name) {
    AUTO_CLOSE int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);

    return fd < 0 && errno != EEXIST ? -errno : 0;
}

static int make_inside(int root, const char *parent, const char *name, enum inside what) {
    AUTO_CLOSE int fd = open_inside(root, parent, O_DIRECTORY);

    if (fd < 0)
        return fd;
    if (what == INSIDE_FILE)
        return make_file(fd, name);
    return mkdirat(fd, name, 0755) < 0 && errno != EEXIST ? -errno : 0;
}

/* Component by component: each is looked for where the ones before lead to. `what` is the last one. */
static int make_all(int root, char *path, enum inside what) {
    int r = 0;

    for (char *part = path; *part && !r;) {
        size_t len = strcspn(part, "/");
        char end = part[len];
        part[len] = '\0';
        enum inside kind = part[len + (end == '/')] ? INSIDE_DIR : what;
        AUTO_CLOSE int fd = open_inside(root, path, kind == INSIDE_DIR ? O_DIRECTORY : 0);
        if (fd == -ENOENT && len > 0) {
            AUTO_FREE char *parent = strndup(path, (size_t)(part - path));
            r = parent ? make_inside(root, parent, part, kind) : -ENOMEM;
        }
        part[len] = end;
        part += len + (end == '/');
    }
    return r;
}

static int resolve(int root, const char *path, enum inside what, char **out) {
    char link[64], found[PATH_MAX];
    AUTO_FREE char *copy = strdup(path);
    int r = !copy ? -ENOMEM : what != INSIDE_FIND ? make_all(root, copy, what) : 0;

    if (r < 0)
        return r;
    AUTO_CLOSE int fd = open_inside(root, path, what == INSIDE_DIR ? O_DIRECTORY : 0);
    if (fd < 0)
        return fd;
    (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, found, sizeof(found));
    if (n < 0 || (size_t)n == sizeof(found))
        return n < 0 ? -errno : -ENAMETOOLONG;
    *out = strndup(found, (size_t)n);
    return *out ? 0 : -ENOMEM;
}

/* Of the appliance's own root: links lead where they lead. */
static int make_outside(const char *path, enum inside what, struct err *e) {
    AUTO_FREE char *copy = strdup(path);

    if (!copy)
        return err_errno(e, -ENOMEM, "could not create %s", path);
    if (what == INSIDE_FILE)
        *strrchr(copy, '/') = '\0';
    int r = what == INSIDE_FIND || !*copy ? 0 : mkdir_p(copy, 0755, e);
    if (r < 0 || what != INSIDE_FILE)
        return r;
    r = make_file(AT_FDCWD, path);
    return r < 0 ? err_errno(e, r, "could not create %s", path) : 0;
}

int inside_path(const char *bundle, const char *path, enum inside what, char **out, struct err *e) {
    bool create = what != INSIDE_FIND;

    *out = NULL;
    if (*path == '/') {
        int r = make_outside(path, what, e);
        if (r < 0)
            return r;
        *out = strdup(path);
        return *out ? 0 : err_errno(e, -ENOMEM, "could not use %s", path);
    }
    AUTO_FREE char *rootfs = path_join(bundle, "rootfs");
    int r = !rootfs ? -ENOMEM : 0;
    if (!r && create)
        r = mkdir_p(rootfs, 0755, e);
    AUTO_CLOSE int root = r < 0 ? -1 : open(rootfs, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (!r)
        r = root < 0 ? -errno : resolve(root, path, what, out);
    return r < 0 ? err_errno(e, r, "could not %s %s/%s", create ? "create" : "find", rootfs ? rootfs : bundle, path)
                 : 0;
}
