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

#include "memlogd/entry.h"

void logfiles_init(struct logfiles *f, const char *dir, unsigned max_files, uint64_t max_size,
                   enum logfiles_sync sync) {
    *f = (struct logfiles){.dir = dir, .max_files = max_files, .max_size = max_size, .sync = sync};
    for (size_t i = 0; i < LOGFILES_OPEN; i++)
        f->v[i].fd = -1;
}

static void file_name(const struct ring_entry *line, char to[RING_SOURCE_MAX + 1]) {
    size_t len = line->source_len < RING_SOURCE_MAX ? line->source_len : RING_SOURCE_MAX;

    /* NAME_MAX with ".log.999" behind it */
    if (len > NAME_MAX - 8)
        len = NAME_MAX - 8;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)line->source[i];
        to[i] = c == '/' || c < 0x20 || c == 0x7f || (i == 0 && c == '.') ? '_' : (char)c;
    }
    to[len] = '\0';
    if (len == 0)
        memcpy(to, "_", 2);
}

static int path_of(const struct logfiles *f, const struct logfile *l, int number, char path[PATH_MAX]) {
    int n = number < 0 ? snprintf(path, PATH_MAX, "%s/%s.log", f->dir, l->name)
                       : snprintf(path, PATH_MAX, "%s/%s.log.%d", f->dir, l->name, number);

    return n < 0 || n >= PATH_MAX ? -ENAMETOOLONG : 0;
}

static void close_file(struct logfile *l) {
    if (l->fd >= 0)
        (void)close(l->fd);
    l->fd = -1;
}

static int open_file(const struct logfiles *f, struct logfile *l, struct err *e) {
    char path[PATH_MAX];
    struct stat st;

    int r = path_of(f, l, -1, path);
    if (r < 0)
        return err_errno(e, r, "could not open %s.log", l->name);
    l->fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (l->fd < 0 || fstat(l->fd, &st) < 0) {
        r = -errno;
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

static int rotate(const struct logfiles *f, struct logfile *l, struct err *e) {
    char older[PATH_MAX], newer[PATH_MAX];

    if (f->sync != LOGFILES_SYNC_NEVER && fsync(l->fd) < 0)
        return err_errno(e, -errno, "could not sync %s.log", l->name);
    for (int i = (int)f->max_files - 1; i >= 0; i--) {
        int r = path_of(f, l, i, older);
        if (!r)
            r = path_of(f, l, i - 1, newer);
        if (!r && rename(newer, older) < 0 && errno != ENOENT)
            r = -errno;
        if (r < 0)
            return err_errno(e, r, "could not rotate %s.log", l->name);
    }
    if (f->max_files == 0 && ftruncate(l->fd, 0) < 0)
        return err_errno(e, -errno, "could not empty %s.log", l->name);
    close_file(l); /* opened anew with the next line */
    return 0;
}

static int write_line(struct logfile *l, struct iovec *iov, int iov_len, size_t len) {
    ssize_t n;

    do
        n = writev(l->fd, iov, iov_len);
    while (n < 0 && errno == EINTR);
    if (n == (ssize_t)len)
        return 0;
    int r = n < 0 ? -errno : -ENOSPC;
    if (n > 0 && ftruncate(l->fd, (off_t)l->size) < 0)
        r = -errno;
    return r;
}

int logfiles_append(struct logfiles *f, const struct ring_entry *line, struct err *e) {
    char time[TIME_TEXT_MAX];
    struct logfile *l = NULL;

    int r = get_file(f, line, &l, e);
    if (r < 0)
        return r;
    struct iovec iov[] = {{time, time_format(line->time_ns, 0, time)},         {(void *)(uintptr_t) " ", 1},
                          {(void *)(uintptr_t)line->source, line->source_len}, {(void *)(uintptr_t) " ", 1},
                          {(void *)(uintptr_t)line->msg, line->msg_len},       {(void *)(uintptr_t) "\n", 1}};
    size_t len = 0;
    for (size_t i = 0; i < ARRAY_SIZE(iov); i++)
        len += iov[i].iov_len;
    r = write_line(l, iov, ARRAY_SIZE(iov), len);
    if (!r && f->sync == LOGFILES_SYNC_LINE && fdatasync(l->fd) < 0)
        r = -errno;
    if (r < 0) {
        err_errno_raw(e, r, "could not write %s/%s.log", f->dir, l->name);
        close_file(l); /* a read-only or a new disk is noticed when it is opened again */
        return r;
    }
    l->size += len;
    l->used = ++f->clock;
    if (l->size > f->max_size)
        (void)rotate(f, l, e);
    return 0;
}

void logfiles_close(struct logfiles *f) {
    for (size_t i = 0; i < LOGFILES_OPEN; i++)
        close_file(&f->v[i]);
}
