/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/cache/partial.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "lib/fdutil.h"

static int lock_wait(int fd, int how, const char *path, struct err *e) {
    int r;

    do
        r = flock(fd, how);
    while (r < 0 && errno == EINTR);
    return r < 0 ? err_errno(e, -errno, "could not lock %s", path) : 0;
}

/* The file may have been renamed or removed while we waited for its lock. */
static bool still_there(int fd, const char *path) {
    struct stat ours, theirs;

    return fstat(fd, &ours) == 0 && lstat(path, &theirs) == 0 && ours.st_ino == theirs.st_ino &&
           ours.st_dev == theirs.st_dev;
}

static int make_paths(struct partial *p, const char *cache_dir, const struct blob_desc *desc, struct err *e) {
    AUTO_FREE char *dir = path_join(cache_dir, PARTIAL_DIR), *blobs = path_join(cache_dir, "blobs/sha256");

    if (!dir || !blobs)
        return err_errno(e, -ENOMEM, "could not fetch %s", desc->digest);
    p->path = path_join(dir, desc->digest + strlen("sha256:"));
    p->final = path_join(blobs, desc->digest + strlen("sha256:"));
    if (!p->path || !p->final)
        return err_errno(e, -ENOMEM, "could not fetch %s", desc->digest);
    int r = mkdir_p(dir, 0755, e);
    return r < 0 ? r : mkdir_p(blobs, 0755, e);
}

int partial_open(struct partial *p, const char *cache_dir, const struct blob_desc *desc, struct err *e) {
    *p = (struct partial){.fd = -1};
    int r = make_paths(p, cache_dir, desc, e);

    while (!r) {
        if (blob_exists(cache_dir, desc)) {
            partial_close(p);
            return 1;
        }
        p->fd = open(p->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
        r = p->fd < 0 ? err_errno(e, -errno, "could not create %s", p->path) : lock_wait(p->fd, LOCK_EX, p->path, e);
        if (!r && still_there(p->fd, p->path) && !blob_exists(cache_dir, desc))
            return 0;
        if (p->fd >= 0) {
            if (!r && still_there(p->fd, p->path))
                (void)unlink(p->path); /* ours, empty: the blob came while we opened it */
            (void)close(steal_fd(&p->fd));
        }
    }
    partial_close(p);
    return r;
}

int partial_publish(struct partial *p, struct err *e) {
    return fsync(p->fd) < 0 || rename(p->path, p->final) < 0 ? err_errno(e, -errno, "could not store %s", p->final) : 0;
}

void partial_drop(struct partial *p) {
    (void)unlink(p->path);
}

void partial_close(struct partial *p) {
    if (p->fd >= 0)
        (void)close(p->fd);
    free(p->path);
    free(p->final);
    *p = (struct partial){.fd = -1};
}

int cache_lock(const char *cache_dir, const char *name, bool shared, struct err *e) {
    AUTO_FREE char *dir = path_join(cache_dir, PARTIAL_DIR);
    AUTO_FREE char *path = dir ? path_join(dir, name) : NULL;

    if (!path)
        return err_errno(e, -ENOMEM, "could not lock the cache %s", cache_dir);
    int r = mkdir_p(dir, 0755, e);
    if (r < 0)
        return r;
    AUTO_CLOSE int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (fd < 0)
        return err_errno(e, -errno, "could not create %s", path);
    r = lock_wait(fd, shared ? LOCK_SH : LOCK_EX, path, e);
    return r < 0 ? r : steal_fd(&fd);
}
