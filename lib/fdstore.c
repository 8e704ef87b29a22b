/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/fdstore.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/fdutil.h"
#include "lib/log.h"

#define SOCKET_VAR "KEELSON_FDSTORE"
#define LIST_VAR "KEELSON_FDS"

/* --- who keeps them --- */

static void forget(struct fdstore *f, uint32_t key) {
    for (unsigned i = 0; i < f->len; i++)
        if (f->kept[i].key == key) {
            (void)close(f->kept[i].fd);
            f->kept[i] = f->kept[--f->len];
            return;
        }
}

static void keep(struct fdstore *f, uint32_t key, int fd) {
    forget(f, key);
    if (f->len == FDSTORE_MAX) {
        log_error("could not keep one descriptor more than %d", FDSTORE_MAX);
        (void)close(fd);
        return;
    }
    f->kept[f->len].key = key;
    f->kept[f->len++].fd = fd;
}

/* One message; false: there is none. */
static bool receive(struct fdstore *f) {
    struct fdstore_msg m = {0};
    struct iovec iov = {&m, sizeof(m)};
    union {
        struct cmsghdr align;
        char space[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct msghdr h = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.space};
    int fd = -1;

    h.msg_controllen = sizeof(control.space);
    ssize_t n = recvmsg(f->ours, &h, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (n < 0)
        return errno == EINTR;
    const struct cmsghdr *c = CMSG_FIRSTHDR(&h);
    if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS && c->cmsg_len == CMSG_LEN(sizeof(int)))
        memcpy(&fd, CMSG_DATA(c), sizeof(fd));
    if (n == (ssize_t)sizeof(m) && m.op == FDSTORE_ADD && fd >= 0)
        keep(f, m.key, steal_fd(&fd));
    else if (n == (ssize_t)sizeof(m) && m.op == FDSTORE_REMOVE)
        forget(f, m.key);
    if (fd >= 0)
        (void)close(fd);
    return true;
}

static void on_message(struct loop_source *s, uint32_t events, void *data) {
    (void)s;
    (void)events;
    (void)receive(data); /* one at a time: others want the loop too */
}

int fdstore_init(struct fdstore *f, struct loop *l) {
    int pair[2];

    f->ours = f->theirs = -1;
    f->len = 0;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
        return -errno;
    f->ours = pair[0];
    f->theirs = pair[1];
    return loop_add_fd(l, &f->source, f->ours, EPOLLIN, on_message, f);
}

void fdstore_fini(struct fdstore *f, struct loop *l) {
    loop_remove(l, &f->source);
    while (f->len > 0)
        (void)close(f->kept[--f->len].fd);
    if (f->ours >= 0)
        (void)close(f->ours);
    if (f->theirs >= 0)
        (void)close(f->theirs);
    f->ours = f->theirs = -1;
}

void fdstore_prepare(struct fdstore *f, struct spawn *s) {
    size_t used = 0, n = 0;

    if (f->theirs < 0)
        return;
    while (receive(f))
        ; /* what the last life still wanted to say */
    (void)snprintf(f->socket_text, sizeof(f->socket_text), SOCKET_VAR "=%d", f->theirs);
    used = (size_t)snprintf(f->list_text, sizeof(f->list_text), LIST_VAR "=");
    f->inherited[0] = f->theirs;
    for (unsigned i = 0; i < f->len; i++) {
        f->inherited[i + 1] = f->kept[i].fd;
        used +=
            (size_t)snprintf(f->list_text + used, sizeof(f->list_text) - used, "%u:%d,", f->kept[i].key, f->kept[i].fd);
    }
    for (char **env = environ; *env && n < FDSTORE_ENV_MAX; env++)
        f->envp[n++] = *env;
    f->envp[n++] = f->socket_text;
    f->envp[n++] = f->list_text;
    f->envp[n] = NULL;
    s->envp = f->envp;
    s->keep_fds = f->inherited;
    s->keep_fds_len = f->len + 1;
}

/* --- whose they are --- */

/* A number at *p that ends with `end`. */
static bool take_number(const char **p, char end, uint64_t max, uint64_t *value) {
    char *stop = NULL;

    if (**p < '0' || **p > '9')
        return false;
    errno = 0;
    *value = strtoull(*p, &stop, 10);
    if (errno || *value > max || *stop != end)
        return false;
    *p = stop + 1;
    return true;
}

int fdstore_socket(void) {
    const char *text = getenv(SOCKET_VAR);
    uint64_t fd;

    if (!text || parse_u64(text, INT32_MAX, &fd) < 0 || fcntl((int)fd, F_SETFD, FD_CLOEXEC) < 0)
        return -1;
    return (int)fd;
}

void fdstore_each(void (*fn)(void *data, uint32_t key, int fd), void *data) {
    const char *p = getenv(LIST_VAR);
    uint64_t key, fd;

    while (p && *p && take_number(&p, ':', UINT32_MAX, &key) && take_number(&p, ',', INT32_MAX, &fd))
        if (fcntl((int)fd, F_SETFD, FD_CLOEXEC) == 0)
            fn(data, (uint32_t)key, (int)fd);
}

static int send_msg(int sock, struct fdstore_msg m, int fd) {
    struct iovec iov = {&m, sizeof(m)};
    union {
        struct cmsghdr align;
        char space[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct msghdr h = {.msg_iov = &iov, .msg_iovlen = 1};

    if (fd >= 0) {
        h.msg_control = control.space;
        h.msg_controllen = sizeof(control.space);
        struct cmsghdr *c = CMSG_FIRSTHDR(&h);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(fd));
        memcpy(CMSG_DATA(c), &fd, sizeof(fd));
    }
    ssize_t n;
    do
        n = sendmsg(sock, &h, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : 0;
}

int fdstore_add(int sock, uint32_t key, int fd) {
    return send_msg(sock, (struct fdstore_msg){FDSTORE_ADD, key}, fd);
}

int fdstore_remove(int sock, uint32_t key) {
    return send_msg(sock, (struct fdstore_msg){FDSTORE_REMOVE, key}, -1);
}
