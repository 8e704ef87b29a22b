/* SPDX-License-Identifier: Apache-2.0 */
#include "memlogd/logfiles.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include "lib/fdutil.h"
#include "lib/loop.h"
#include "memlogd/entry.h"
#include "memlogd/rotate.h"

#define LONGEST_END 16 /* ".log.999.zst.new" */
#define REMOVED_MAX 5  /* somebody who removes a file each time it is made is not raced for ever */
#define ROTATE_PAUSE_MIN_MS 1000
#define ROTATE_PAUSE_MAX_MS 60000

void logfiles_init(struct logfiles *f, const struct logfiles_config *config) {
    *f = (struct logfiles){.config = *config};
    for (size_t i = 0; i < LOGFILES_OPEN; i++)
        f->v[i].fd = -1;
}

static void file_name(const struct ring_entry *line, char to[RING_SOURCE_MAX + 1]) {
    size_t len = line->source_len < RING_SOURCE_MAX ? line->source_len : RING_SOURCE_MAX;

    if (len > NAME_MAX - LONGEST_END)
        len = NAME_MAX - LONGEST_END;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)line->source[i];
        bool c1 = c == 0xc2 && i + 1 < len && ((unsigned char)line->source[i + 1] & 0xe0) == 0x80;
        to[i] = c == '/' || c < 0x20 || c == 0x7f || c1 || (i == 0 && c == '.') ? '_' : (char)c;
        if (c1)
            to[++i] = '_';
    }
    to[len] = '\0';
    if (len == 0)
        memcpy(to, "_", 2);
}

static void close_file(struct logfile *l) {
    if (l->fd >= 0)
        (void)close(l->fd);
    l->fd = -1;
}

/* A line that was not written to its end, as the power failed. */
static bool ends_in_a_line(const char *path, off_t size) {
    char last = '\n';

    AUTO_CLOSE int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    return fd >= 0 && size > 0 && pread(fd, &last, 1, size - 1) == 1 && last != '\n';
}

static int open_file(const struct logfiles *f, struct logfile *l, struct err *e) {
    char path[PATH_MAX];
    struct stat st;

    int r = rotate_path(f->config.dir, l->name, -1, "", path);
    if (r < 0)
        return err_errno(e, r, "could not open %s.log", l->name);
    l->fd = open_log_file(path, e);
    if (l->fd == -ENOENT && mkdir_p(f->config.dir, 0755, NULL) == 0) /* it was removed */
        l->fd = open_log_file(path, e);
    if (l->fd < 0)
        return l->fd;
    l->rotate_after_ms = 0;
    l->rotate_pause_ms = 0;
    r = fstat(l->fd, &st) < 0 ? -errno : 0;
    if (!r && ends_in_a_line(path, st.st_size)) {
        r = write_full(l->fd, "\n", 1);
        st.st_size++;
    }
    if (r < 0) {
        close_file(l);
        return err_errno(e, r, "could not open %s", path);
    }
    l->size = (uint64_t)st.st_size;
    return 0;
}

/* The source's file, open; an unused place or the one used longest ago. */
static int get_file(struct logfiles *f, const struct ring_entry *line, struct logfile **out, struct err *e) {
    char name[RING_SOURCE_MAX + 1];
    struct logfile *oldest = &f->v[0];

    file_name(line, name);
    for (size_t i = 0; i < LOGFILES_OPEN; i++) {
        struct logfile *l = &f->v[i];
        if (l->fd >= 0 && !strcmp(l->name, name)) {
            *out = l;
            return 0;
        }
        if (l->fd < 0 ? oldest->fd >= 0 : oldest->fd >= 0 && l->used < oldest->used)
            oldest = l;
    }
    close_file(oldest);
    memcpy(oldest->name, name, sizeof(name));
    *out = oldest;
    return open_file(f, oldest, e);
}

static int rotate_now(const struct logfiles *f, struct logfile *l, struct err *e) {
    const struct rotation how = {f->config.dir, f->config.max_files, f->config.compress,
                                 f->config.sync != LOGFILES_SYNC_NEVER};
    bool moved;

    if (how.sync && fsync(l->fd) < 0)
        return err_errno(e, -errno, "could not sync %s.log", l->name);
    if (how.max_files == 0) {
        if (ftruncate(l->fd, 0) < 0)
            return err_errno(e, -errno, "could not empty %s.log", l->name);
        l->size = 0;
        return 0;
    }
    int r = rotate_files(&how, l->name, &moved, e);
    if (moved)
        close_file(l); /* opened anew with the next line */
    return r;
}

/* What fails is not tried with each line, and not told with each: that may come as one more line. */
static void rotate(const struct logfiles *f, struct logfile *l, struct err *e) {
    if (l->rotate_after_ms && clock_ms() < l->rotate_after_ms)
        return;
    int r = rotate_now(f, l, e);
    if (r == 0 || l->fd < 0) {
        l->rotate_after_ms = 0;
        l->rotate_pause_ms = 0;
        return;
    }
    l->rotate_pause_ms = l->rotate_pause_ms == 0                        ? ROTATE_PAUSE_MIN_MS
                         : l->rotate_pause_ms < ROTATE_PAUSE_MAX_MS / 2 ? 2 * l->rotate_pause_ms
                                                                        : ROTATE_PAUSE_MAX_MS;
    l->rotate_after_ms = clock_ms() + l->rotate_pause_ms;
}

/* Why the disk took only a part of it: what a write of one more byte says. */
static int why_short(const struct logfile *l) {
    ssize_t n = write(l->fd, "", 1);

    return n < 0 ? -errno : -ENOSPC;
}

static int write_line(struct logfile *l, struct iovec *iov, int iov_len, size_t len) {
    ssize_t n;

    do
        n = writev(l->fd, iov, iov_len);
    while (n < 0 && errno == EINTR);
    if (n == (ssize_t)len)
        return 0;
    int r = n < 0 ? -errno : why_short(l);
    if (n > 0 && ftruncate(l->fd, (off_t)l->size) < 0)
        r = -errno;
    return r;
}

static bool was_removed(const struct logfile *l) {
    struct stat st;

    return fstat(l->fd, &st) == 0 && st.st_nlink == 0;
}

/* *out is its file. */
static int append(struct logfiles *f, const struct ring_entry *line, struct logfile **out, struct err *e) {
    char time[TIME_TEXT_MAX];
    struct logfile *l = NULL;

    int r = get_file(f, line, &l, e);
    if (r < 0)
        return r;
    *out = l;
    struct iovec iov[] = {{time, time_format(line->time_ns, 0, time)},         {(void *)(uintptr_t) " ", 1},
                          {(void *)(uintptr_t)line->source, line->source_len}, {(void *)(uintptr_t) " ", 1},
                          {(void *)(uintptr_t)line->msg, line->msg_len},       {(void *)(uintptr_t) "\n", 1}};
    size_t len = 0;
    for (size_t i = 0; i < ARRAY_SIZE(iov); i++)
        len += iov[i].iov_len;
    r = write_line(l, iov, ARRAY_SIZE(iov), len);
    if (!r && f->config.sync == LOGFILES_SYNC_LINE && fdatasync(l->fd) < 0)
        r = -errno;
    if (r < 0) {
        err_errno_raw(e, r, "could not write %s/%s.log", f->config.dir, l->name);
        close_file(l); /* a read-only or a new disk is noticed when it is opened again */
        return r;
    }
    l->size += len;
    l->used = ++f->clock;
    return 0;
}

int logfiles_append(struct logfiles *f, const struct ring_entry *line, struct err *e) {
    struct logfile *l = NULL;
    bool removed = true;

    for (int i = 0; i < REMOVED_MAX && removed; i++) {
        int r = append(f, line, &l, e);
        if (r < 0)
            return r;
        removed = was_removed(l); /* before this line or with it: nobody will find it there */
        if (removed)
            close_file(l);
    }
    if (removed)
        return err_set(e, -EAGAIN, "could not write %s/%s.log: it is removed again and again", f->config.dir, l->name);
    if (l->size > f->config.max_size)
        rotate(f, l, e);
    return 0;
}

bool logfiles_may_pass(const struct logfiles *f, int error) {
    switch (-error) {
    case EINVAL: /* not a regular file */
    case EISDIR:
    case ELOOP:
    case ENXIO:
    case EFBIG:
    case ENAMETOOLONG:
        return false;
    case EACCES:
    case EPERM:
        return faccessat(AT_FDCWD, f->config.dir, W_OK | X_OK, AT_EACCESS) < 0; /* else it is that one file */
    default:
        return true;
    }
}

void logfiles_close(struct logfiles *f) {
    for (size_t i = 0; i < LOGFILES_OPEN; i++)
        close_file(&f->v[i]);
}
