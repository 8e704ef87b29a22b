/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/fdutil.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define READ_CHUNK 16384

ssize_t read_full(int fd, void *data, size_t len) {
    size_t done = 0;

    while (done < len) {
        ssize_t n = read(fd, (char *)data + done, len - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            break;
        done += (size_t)n;
    }
    return (ssize_t)done;
}

int write_full(int fd, const void *data, size_t len) {
    size_t done = 0;

    while (done < len) {
        ssize_t n = write(fd, (const char *)data + done, len - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        done += (size_t)n;
    }
    return 0;
}

int hold_standard_fds(void) {
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) >= 0)
            continue;
        int held = open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY); /* children have it, too */
        if (held < 0)
            return -errno;
    }
    return 0;
}

int read_rest(int fd, size_t max, struct buf *b) {
    size_t start = b->len;

    for (;;) {
        size_t left = max - (b->len - start);
        size_t want = left < READ_CHUNK ? left + 1 : READ_CHUNK; /* a byte more shows that it is too large */
        void *room = buf_reserve(b, want);
        if (!room)
            return -ENOMEM;
        ssize_t n = read_full(fd, room, want);
        if (n < 0)
            return (int)n;
        if ((size_t)n > left)
            return -EFBIG;
        buf_commit(b, (size_t)n);
        if ((size_t)n < want)
            return 0;
    }
}

int read_file_at(int dirfd, const char *path, size_t max, struct buf *b, struct err *e) {
    AUTO_CLOSE int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_errno(e, -errno, "could not open %s", path);
    int r = read_rest(fd, max, b);
    if (r == -EFBIG)
        return err_set(e, r, "could not read %s: it is larger than %zu bytes", path, max);
    return r < 0 ? err_errno(e, r, "could not read %s", path) : 0;
}

int read_file(const char *path, size_t max, struct buf *b, struct err *e) {
    return read_file_at(AT_FDCWD, path, max, b, e);
}

static int write_aside(int fd, const void *data, size_t len, mode_t mode, bool sync) {
    int r = write_full(fd, data, len);
    if (r < 0)
        return r;
    if (fchmod(fd, mode) < 0)
        return -errno;
    return sync && fsync(fd) < 0 ? -errno : 0;
}

int write_file_atomic(const char *path, const void *data, size_t len, mode_t mode, bool sync, struct err *e) {
    AUTO_FREE char *aside = NULL;

    if (asprintf(&aside, "%s.XXXXXX", path) < 0) {
        aside = NULL;
        return err_errno(e, -ENOMEM, "could not write %s", path);
    }
    AUTO_CLOSE int fd = mkostemp(aside, O_CLOEXEC);
    if (fd < 0)
        return err_errno(e, -errno, "could not create %s", aside);
    int r = write_aside(fd, data, len, mode, sync);
    if (!r && rename(aside, path) < 0)
        r = -errno;
    if (r < 0) {
        (void)unlink(aside);
        return err_errno(e, r, "could not write %s", path);
    }
    return 0;
}

int open_log_file(const char *path, struct err *e) {
    struct stat st;

    AUTO_CLOSE int fd =
        open(path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0644);
    if (fd < 0)
        return err_errno(e, -errno, "could not open %s", path);
    if (fstat(fd, &st) < 0)
        return err_errno(e, -errno, "could not open %s", path);
    if (!S_ISREG(st.st_mode))
        return err_set(e, -EINVAL, "could not open %s: it is not a regular file", path);
    if (fcntl(fd, F_SETFL, O_APPEND) < 0)
        return err_errno(e, -errno, "could not open %s", path);
    return steal_fd(&fd);
}

int write_sysfile(const char *path, const char *value, struct err *e) {
    AUTO_CLOSE int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return err_errno(e, -errno, "could not open %s", path);
    ssize_t n;
    do
        n = write(fd, value, strlen(value));
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return err_errno(e, -errno, "could not write %s", path);
    return (size_t)n == strlen(value) ? 0 : err_errno(e, -EIO, "could not write %s", path);
}

static int make_dir(const char *path, mode_t mode) {
    struct stat st;

    if (mkdir(path, mode) == 0)
        return 0;
    if (errno != EEXIST)
        return -errno;
    if (stat(path, &st) < 0)
        return -errno;
    return S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
}

int mkdir_p(const char *path, mode_t mode, struct err *e) {
    AUTO_FREE char *copy = strdup(path);
    int r = copy ? 0 : -ENOMEM;

    for (char *slash = copy ? strchr(copy + 1, '/') : NULL; slash && !r; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        r = make_dir(copy, 0755);
        *slash = '/';
    }
    if (!r)
        r = make_dir(copy, mode);
    return r < 0 ? err_errno(e, r, "could not create directory %s", path) : 0;
}

bool is_same_file(int a, int b) {
    struct stat x, y;

    return fstat(a, &x) == 0 && fstat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

char *path_join(const char *a, const char *b) {
    char *out;
    size_t len = strlen(a);

    while (len > 0 && a[len - 1] == '/')
        len--;
    while (*b == '/')
        b++;
    return asprintf(&out, "%.*s/%s", (int)len, a, b) < 0 ? NULL : out;
}

static int by_bytes(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int names_add(struct names *n, const char *name) {
    if ((n->len & (n->len + 1)) == 0) { /* full at 0, 1, 3, 7, ... */
        char **grown = reallocarray(n->v, 2 * (n->len + 1), sizeof(*grown));
        if (!grown)
            return -ENOMEM;
        n->v = grown;
    }
    n->v[n->len] = strdup(name);
    if (!n->v[n->len])
        return -ENOMEM;
    n->len++;
    return 0;
}

static int collect(DIR *dir, struct names *out) {
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(dir);
        if (!entry)
            return -errno;
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
            continue;
        int r = names_add(out, entry->d_name);
        if (r < 0)
            return r;
    }
}

int list_dir(const char *path, struct names *out, struct err *e) {
    *out = (struct names){0};
    AUTO_CLOSEDIR DIR *dir = opendir(path);
    int r = dir ? collect(dir, out) : -errno;
    if (r < 0) {
        names_free(out);
        return err_errno(e, r, "could not list %s", path);
    }
    if (out->len > 1)
        qsort(out->v, out->len, sizeof(*out->v), by_bytes);
    return 0;
}

void names_free(struct names *n) {
    for (size_t i = 0; i < n->len; i++)
        free(n->v[i]);
    free(n->v);
    *n = (struct names){0};
}

char *next_line(char **pos) {
    char *line = *pos;

    if (!line || !*line)
        return NULL;
    *pos = line + strcspn(line, "\n");
    if (**pos)
        *(*pos)++ = '\0';
    return line;
}

int parse_u64(const char *s, uint64_t max, uint64_t *out) {
    uint64_t value = 0;

    if (!*s)
        return -EINVAL;
    for (; *s; s++) {
        if (*s < '0' || *s > '9')
            return -EINVAL;
        uint64_t digit = (uint64_t)(*s - '0');
        if (value > (UINT64_MAX - digit) / 10)
            return -ERANGE;
        value = value * 10 + digit;
    }
    if (value > max)
        return -ERANGE;
    *out = value;
    return 0;
}
