/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading without ever waiting. Whoever gave a descriptor may have it too, and O_NONBLOCK belongs to both: it can be
 * taken back at any moment. So it is not relied on (and not set): each call says for itself that it does not wait, and
 * what has no such call is not read.
 */
#ifndef MEMLOGD_RECEIVE_H
#define MEMLOGD_RECEIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum receive_kind {
    RECEIVE_PIPE,     /* or a FIFO */
    RECEIVE_PIPE_RW,  /* one that was opened for writing, too: it has no end */
    RECEIVE_STREAM,   /* a socket */
    RECEIVE_PACKETS,  /* a socket with a connection that keeps packets apart */
    RECEIVE_DATAGRAMS /* a socket without one: no end either, and no error that is the last */
};

/* What fd is (enum receive_kind). -EBADF: not for reading; -EPERM: nothing that can be read without waiting. */
int receive_kind(int fd);

/* How many bytes a read may give: as much as a datagram is likely to have. */
size_t receive_size(enum receive_kind kind);

/*
 * As read(2), with a negative errno: -EAGAIN if there is nothing. Of a packet or datagram all of its length is
 * returned, which may be more than len; 0 is an empty one, or the end.
 */
ssize_t receive(enum receive_kind kind, int fd, void *data, size_t len);

/* Closes it; that does not wait either. */
void receive_close(int fd);

#endif
