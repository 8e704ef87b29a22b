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

static int open_inside(int root, const char *path) {
    const struct open_how how = {.flags = O_PATH | O_DIRECTORY | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT};
    long fd = syscall(SYS_openat2, root, *path ? path : ".", &how, sizeof(how));

    return fd < 0 ? -errno : (int)fd;
}

static int make_inside(int root, const char *parent, const char *name) {
    AUTO_CLOSE int fd = open_inside(root, parent);

    if (fd < 0)
        return fd;
    return mkdirat(fd, name, 0755) < 0 && errno != EEXIST ? -errno : 0;
}

/* Component by component: each is looked for where the ones before lead to. */
static int make_all(int root, char *path) {
    int r = 0;

    for (char *part = path; *part && !r;) {
        size_t len = strcspn(part, "/");
        char end = part[len];
        part[len] = '\0';
        AUTO_CLOSE int fd = open_inside(root, path);
        if (fd == -ENOENT && len > 0) {
            AUTO_FREE char *parent = strndup(path, (size_t)(part - path));
            r = parent ? make_inside(root, parent, part) : -ENOMEM;
        }
        part[len] = end;
        part += len + (end == '/');
    }
    return r;
}

static int resolve(int root, const char *path, bool create, char **out) {
    char link[64], found[PATH_MAX];
    AUTO_FREE char *copy = strdup(path);
    int r = !copy ? -ENOMEM : create ? make_all(root, copy) : 0;

    if (r < 0)
        return r;
    AUTO_CLOSE int fd = open_inside(root, path);
    if (fd < 0)
        return fd;
    (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, found, sizeof(found));
    if (n < 0 || (size_t)n == sizeof(found))
        return n < 0 ? -errno : -ENAMETOOLONG;
    *out = strndup(found, (size_t)n);
    return *out ? 0 : -ENOMEM;
}

int inside_path(const char *bundle, const char *path, bool create, char **out, struct err *e) {
    *out = NULL;
    if (*path == '/') {
        int r = create ? mkdir_p(path, 0755, e) : 0;
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
        r = root < 0 ? -errno : resolve(root, path, create, out);
    return r < 0 ? err_errno(e, r, "could not %s %s/%s", create ? "create" : "find", rootfs ? rootfs : bundle, path)
                 : 0;
}
