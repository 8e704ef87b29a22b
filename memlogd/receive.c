/* SPDX-License-Identifier: Apache-2.0 */
#include "memlogd/receive.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "lib/auto.h"

#define STREAM_SIZE ((size_t)64 << 10)
#define DATAGRAM_SIZE ((size_t)512 << 10) /* more takes privileges, or other sysctls */

static int socket_kind(int type) {
    switch (type) {
    case SOCK_STREAM:
        return RECEIVE_STREAM;
    case SOCK_SEQPACKET:
        return RECEIVE_PACKETS;
    default:
        return RECEIVE_DATAGRAMS;
    }
}

int receive_kind(int fd) {
    int type = 0;
    socklen_t len = sizeof(type);
    int flags = fcntl(fd, F_GETFL);

    if (flags < 0 || (flags & O_ACCMODE) == O_WRONLY)
        return flags < 0 ? -errno : -EBADF;
    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0)
        return socket_kind(type);
    if (fcntl(fd, F_GETPIPE_SZ) < 0)
        return -EPERM;
    return (flags & O_ACCMODE) == O_RDWR ? RECEIVE_PIPE_RW : RECEIVE_PIPE;
}

size_t receive_size(enum receive_kind kind) {
    return kind == RECEIVE_PACKETS || kind == RECEIVE_DATAGRAMS ? DATAGRAM_SIZE : STREAM_SIZE;
}

/*
 * vmsplice(2) on the end that is read copies, and its flag is for this call. (RWF_NOWAIT is not for pipes before Linux
 * 6.5.)
 */
static ssize_t receive_pipe(int fd, void *data, size_t len) {
    const struct iovec iov = {data, len};

    return vmsplice(fd, &iov, 1, SPLICE_F_NONBLOCK);
}

/* There vmsplice(2) would write. What is moved to a pipe of our own can be read without waiting. */
static ssize_t receive_pipe_rw(int fd, void *data, size_t len) {
    int own[2];

    if (pipe2(own, O_CLOEXEC) < 0)
        return -1;
    AUTO_CLOSE int from = own[0];
    AUTO_CLOSE int to = own[1];
    ssize_t n = splice(fd, NULL, to, NULL, len, SPLICE_F_NONBLOCK);
    return n > 0 ? read(from, data, (size_t)n) : n;
}

ssize_t receive(enum receive_kind kind, int fd, void *data, size_t len) {
    ssize_t n;

    do
        n = kind == RECEIVE_PIPE      ? receive_pipe(fd, data, len)
            : kind == RECEIVE_PIPE_RW ? receive_pipe_rw(fd, data, len)
            : kind == RECEIVE_STREAM  ? recv(fd, data, len, MSG_DONTWAIT)
                                      : recv(fd, data, len, MSG_DONTWAIT | MSG_TRUNC);
    while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : n;
}

void receive_close(int fd) {
    const struct linger off = {0};

    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &off, sizeof(off)); /* else the last close(2) may wait for the peer */
    (void)close(fd);
}
