/* SPDX-License-Identifier: Apache-2.0 */
#include "svcd/logbound.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

#include "lib/fdutil.h"
#include "lib/log.h"

void logbound_init(struct logbound *b, struct loop *l, const char *dir, logbound_fn *look, void *data) {
    *b = (struct logbound){.loop = l, .dir = dir, .look = look, .data = data, .fd = -1, .watch = -1};
}

void logbound_fini(struct logbound *b) {
    if (!b->loop)
        return;
    loop_remove(b->loop, &b->written);
    loop_remove(b->loop, &b->pause);
    if (b->fd >= 0)
        (void)close(b->fd);
    b->fd = -1;
}

static void add_watch(struct logbound *b) {
    b->watch = inotify_add_watch(b->fd, b->dir, IN_MODIFY | IN_ONLYDIR);
    if (b->watch < 0)
        log_warning("could not watch %s: %s; logs may grow there", b->dir, strerror(errno));
}

/* Watched first: what is written while it is looked at is seen the next time. */
static void on_pause_over(struct loop_source *src, void *data) {
    struct logbound *b = data;

    (void)src;
    add_watch(b);
    b->look(b->data);
}

/* Who writes all the time must not wake us all the time. */
static void on_written(struct loop_source *src, uint32_t events, void *data) {
    _Alignas(struct inotify_event) char batch[4096];
    struct logbound *b = data;

    (void)events;
    if (b->watch >= 0)
        (void)inotify_rm_watch(b->fd, b->watch);
    b->watch = -1;
    while (read(src->fd, batch, sizeof(batch)) > 0)
        ;
    if (!loop_has(&b->pause) && loop_set_timer(b->loop, &b->pause, LOGBOUND_PAUSE_MS, on_pause_over, b) < 0)
        add_watch(b); /* without pauses, then */
}

int logbound_watch(struct logbound *b, struct err *e) {
    if (loop_has(&b->pause))
        return 0;
    if (b->fd < 0) {
        AUTO_CLOSE int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
        if (fd < 0)
            return err_errno(e, -errno, "could not watch %s", b->dir);
        int r = loop_add_fd(b->loop, &b->written, fd, EPOLLIN, on_written, b);
        if (r < 0)
            return err_errno(e, r, "could not watch %s", b->dir);
        b->fd = steal_fd(&fd);
    }
    add_watch(b);
    return 0;
}

/* A container may be able to write where it lies: no link is followed, nothing but a regular file is touched. */
static int open_regular(const char *path, int flags, struct stat *st) {
    AUTO_CLOSE int fd = open(path, flags | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0644);

    if (fd < 0 || fstat(fd, st) < 0)
        return -errno;
    return S_ISREG(st->st_mode) ? steal_fd(&fd) : -EINVAL;
}

/* What lies between, and no more: the writer may be faster than we are. Returns how many bytes there was room for. */
static uint64_t copy_aside(int from, uint64_t begin, uint64_t end, const char *path, struct err *e) {
    off_t at = (off_t)begin;
    struct stat st;

    (void)unlink(path); /* if it cannot be: then the next call says so */
    AUTO_CLOSE int to = open_regular(path, O_WRONLY | O_CREAT | O_EXCL, &st);
    if (to < 0) {
        (void)err_errno(e, to, "could not make %s", path);
        return 0;
    }
    ssize_t n = 1;
    while (n > 0 && (uint64_t)at < end)
        n = sendfile(to, from, &at, end - (uint64_t)at);
    if (n < 0)
        (void)err_errno(e, -errno, "could not write %s", path);
    return (uint64_t)at - begin;
}

/* 1: it has more than max bytes, and *fd is open. 0: it has not, or is not there. */
static int open_if_longer(const char *path, uint64_t max, int *fd, uint64_t *size, struct err *e) {
    struct stat st = {0};

    AUTO_CLOSE int file = open_regular(path, O_RDWR, &st);
    if (file == -ENOENT)
        return 0;
    if (file < 0)
        return err_errno(e, file, "could not open %s", path);
    *size = (uint64_t)st.st_size;
    if (*size <= max)
        return 0;
    *fd = steal_fd(&file);
    return 1;
}

int logbound_cut(const char *path, uint64_t max, uint64_t *kept, uint64_t *lost, struct err *e) {
    AUTO_FREE char *old = NULL;
    AUTO_CLOSE int fd = -1;
    uint64_t size = 0;
    struct stat st = {0};

    *kept = *lost = 0;
    int r = open_if_longer(path, max, &fd, &size, e);
    if (r <= 0)
        return r;
    if (asprintf(&old, "%s.0", path) < 0) {
        old = NULL;
        return err_errno(e, -ENOMEM, "could not shorten %s", path);
    }
    *kept = copy_aside(fd, size > 2 * max ? size - 2 * max : 0, size, old, e);
    (void)fstat(fd, &st); /* as shortly before as can be: the writer goes on */
    if (ftruncate(fd, 0) < 0)
        return err_errno(e, -errno, "could not shorten %s", path);
    *lost = (uint64_t)st.st_size > *kept ? (uint64_t)st.st_size - *kept : 0;
    return 1;
}

int logbound_shorten(const char *path, uint64_t max, uint64_t *kept, uint64_t *lost, struct err *e) {
    AUTO_CLOSE int fd = -1;
    uint64_t size = 0, to = 0;
    char chunk[4096];

    *kept = *lost = 0;
    int r = open_if_longer(path, max, &fd, &size, e);
    if (r <= 0)
        return r;
    for (ssize_t n; to < max && (n = pread(fd, chunk, sizeof(chunk), (off_t)(size - max + to))) > 0; to += (uint64_t)n)
        if (pwrite(fd, chunk, (size_t)n, (off_t)to) != n)
            break;
    if (ftruncate(fd, (off_t)to) < 0)
        return err_errno(e, -errno, "could not shorten %s", path);
    *kept = to;
    *lost = size - to;
    return 1;
}
