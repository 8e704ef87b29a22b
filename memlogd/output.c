/* SPDX-License-Identifier: Apache-2.0 */
#include "memlogd/output.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <unistd.h>

int output_write(int fd, const void *data, size_t len) {
    const char *p = data;

    while (len > 0) {
        struct pollfd room = {.fd = fd, .events = POLLOUT};
        ssize_t n = write(fd, p, len);
        if (n < 0 && errno == EAGAIN)
            (void)poll(&room, 1, -1);
        else if (n < 0 && errno != EINTR)
            return -errno;
        p += n < 0 ? 0 : n;
        len -= n < 0 ? 0 : (size_t)n;
    }
    return 0;
}

static ssize_t on_write(void *cookie, const char *data, size_t len) {
    int r = output_write((int)(intptr_t)cookie, data, len);

    errno = r < 0 ? -r : errno;
    return r < 0 ? -1 : (ssize_t)len; /* musl takes 0 for success */
}

FILE *output_open(int fd) {
    if (fcntl(fd, F_GETFD) < 0)
        return NULL;
    return fopencookie((void *)(intptr_t)fd, "w", (cookie_io_functions_t){.write = on_write});
}
