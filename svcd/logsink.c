/* SPDX-License-Identifier: Apache-2.0 */
#include "svcd/logsink.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/fdutil.h"
#include "memlogd/wire.h"

#define STEP_MS 2

bool logsink_present(const char *socket) {
    struct stat st;

    return stat(socket, &st) == 0 && S_ISSOCK(st.st_mode);
}

/* The socket takes ten messages at a time. */
static int hand_over(const char *socket, const char *source, int fd, struct err *e) {
    int r = wire_send_source(socket, source, fd, e);

    for (int waited = 0; r == -EAGAIN && waited < LOGSINK_PATIENCE_MS; waited += STEP_MS) {
        (void)poll(NULL, 0, STEP_MS);
        r = wire_send_source(socket, source, fd, e);
    }
    return r;
}

int logsink_pipe(const char *socket, const char *source, int *fd, struct err *e) {
    int p[2];

    if (pipe2(p, O_CLOEXEC) < 0)
        return err_errno(e, -errno, "could not make a pipe for %s", source);
    AUTO_CLOSE int read_end = p[0];
    AUTO_CLOSE int write_end = p[1];
    int r = hand_over(socket, source, read_end, e);
    if (r < 0)
        return r;
    *fd = steal_fd(&write_end);
    return 0;
}

/* A FIFO has an end only behind a writer: without one its reader waits, whether it has a name still or not. */
static void end_source(const char *path) {
    struct stat st;
    bool is_fifo = lstat(path, &st) == 0 && S_ISFIFO(st.st_mode);
    AUTO_CLOSE int writer = is_fifo ? open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW) : -1;

    (void)writer;
}

int logsink_remove(const char *path, struct err *e) {
    end_source(path);
    if (unlink(path) < 0 && errno != ENOENT)
        return err_errno(e, -errno, "could not remove the old %s", path);
    return 0;
}

static int make_fifo(const char *path, struct err *e) {
    AUTO_FREE char *dir = strdup(path);
    char *slash = dir ? strrchr(dir, '/') : NULL;

    if (!slash)
        return err_errno(e, -ENOMEM, "could not make %s", path);
    *slash = '\0';
    int r = mkdir_p(dir, 0700, e);
    if (!r)
        r = logsink_remove(path, e);
    if (r < 0)
        return r;
    return mkfifo(path, 0600) < 0 ? err_errno(e, -errno, "could not make %s", path) : 0;
}

int logsink_fifo(const char *socket, const char *path, const char *source, struct err *e) {
    int r = make_fifo(path, e);

    if (r < 0)
        return r;
    AUTO_CLOSE int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return err_errno(e, -errno, "could not open %s", path);
    r = hand_over(socket, source, fd, e);
    if (r < 0)
        (void)unlink(path); /* nobody would read what is written there */
    return r;
}
