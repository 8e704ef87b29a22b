/* SPDX-License-Identifier: Apache-2.0 */
#include "memlogd/wire.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>

#define BACKLOG 64

static int address(const char *path, struct sockaddr_un *a) {
    *a = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof(a->sun_path))
        return -ENAMETOOLONG;
    memcpy(a->sun_path, path, strlen(path) + 1);
    return 0;
}

static int limit(int fd, int option) {
    const struct timeval patience = {.tv_sec = WIRE_PATIENCE_MS / 1000};

    return setsockopt(fd, SOL_SOCKET, option, &patience, sizeof(patience)) < 0 ? -errno : 0;
}

int wire_limit_reads(int fd) {
    return limit(fd, SO_RCVTIMEO);
}

/* To one whose queue is full connect(2) waits, too. */
int wire_connect(const char *path, int type, bool nonblock, struct err *e) {
    struct sockaddr_un a;

    int r = address(path, &a);
    AUTO_CLOSE int fd = r < 0 ? -1 : socket(AF_UNIX, type | SOCK_CLOEXEC | (nonblock ? SOCK_NONBLOCK : 0), 0);
    if (r < 0 || fd < 0)
        return err_errno(e, r < 0 ? r : -errno, "could not connect to %s", path);
    if (!nonblock)
        r = limit(fd, SO_SNDTIMEO);
    if (!r && connect(fd, (const struct sockaddr *)&a, sizeof(a)) < 0)
        r = errno == EAGAIN && !nonblock ? -ETIMEDOUT : -errno;
    return r < 0 ? err_errno(e, r, "could not connect to %s", path) : steal_fd(&fd);
}

/* Of a path that was mistyped nothing is removed. */
static int remove_old(const char *path, struct err *e) {
    struct stat st;

    if (lstat(path, &st) < 0)
        return errno == ENOENT ? 0 : err_errno(e, -errno, "could not bind %s", path);
    if (!S_ISSOCK(st.st_mode))
        return err_set(e, -EEXIST, "could not bind %s: there is something else that is no socket", path);
    if (unlink(path) < 0 && errno != ENOENT)
        return err_errno(e, -errno, "could not remove the old %s", path);
    return 0;
}

int wire_bind(const char *path, int type, unsigned mode, struct err *e) {
    struct sockaddr_un a;

    int r = address(path, &a);
    AUTO_CLOSE int fd = r < 0 ? -1 : socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (r < 0 || fd < 0)
        return err_errno(e, r < 0 ? r : -errno, "could not make the socket %s", path);
    AUTO_CLOSE int other = wire_connect(path, type, true, NULL);
    if (other >= 0)
        return err_errno(e, -EADDRINUSE, "could not bind %s: another one answers there", path);
    r = remove_old(path, e);
    if (r < 0)
        return r;
    mode_t old = umask(0777 & ~mode);
    r = bind(fd, (const struct sockaddr *)&a, sizeof(a)) < 0 ? -errno : 0;
    (void)umask(old);
    if (r < 0)
        return err_errno(e, r, "could not bind %s", path);
    if (type == SOCK_STREAM && listen(fd, BACKLOG) < 0)
        return err_errno(e, -errno, "could not listen on %s", path);
    return steal_fd(&fd);
}

static int ask(const char *path, const void *request, size_t len, struct err *e) {
    AUTO_CLOSE int fd = wire_connect(path, SOCK_STREAM, false, e);

    if (fd < 0)
        return fd;
    if (send(fd, request, len, MSG_NOSIGNAL) != (ssize_t)len)
        return err_errno(e, -errno, "could not ask %s", path);
    return steal_fd(&fd);
}

int wire_query(const char *path, enum wire_mode mode, struct err *e) {
    char byte = (char)mode;
    AUTO_CLOSE int fd = ask(path, &byte, 1, e);
    int r = fd >= 0 && mode == WIRE_DUMP ? wire_limit_reads(fd) : 0;

    return r < 0 ? err_errno(e, r, "could not ask %s", path) : steal_fd(&fd);
}

int wire_query_resume(const char *path, struct wire_resume from, struct err *e) {
    char request[1 + sizeof(from)] = {WIRE_RESUME};

    memcpy(request + 1, &from, sizeof(from));
    return ask(path, request, sizeof(request), e);
}

int wire_send_source(const char *path, const char *name, int source, struct err *e) {
    AUTO_CLOSE int fd = wire_connect(path, SOCK_DGRAM, true, e);
    struct iovec iov = {(void *)(uintptr_t)name, strlen(name)};
    union {
        struct cmsghdr align;
        char space[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct msghdr h = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.space};

    if (fd < 0)
        return fd;
    h.msg_controllen = sizeof(control.space);
    struct cmsghdr *c = CMSG_FIRSTHDR(&h);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(source));
    memcpy(CMSG_DATA(c), &source, sizeof(source));
    if (sendmsg(fd, &h, MSG_NOSIGNAL) < 0)
        return err_errno(e, -errno, "could not send the source %s to %s", name, path);
    return 0;
}
