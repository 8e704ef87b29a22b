/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/capture.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "lib/fdutil.h"
#include "lib/spawn.h"

static int read_output(int fd, struct buf *out, struct err *e) {
    char path[64];

    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    int r = read_file(path, CAPTURE_MAX, out, e);
    while (!r && out->len && out->data[out->len - 1] == '\n')
        out->data[--out->len] = '\0';
    return r;
}

int capture(const char *const *argv, bool quiet, struct buf *out, struct err *e) {
    AUTO_CLOSE int fd = memfd_create("output", MFD_CLOEXEC);
    AUTO_CLOSE int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    struct spawn s = SPAWN_INIT;
    int status = 0;

    if (fd < 0 || null < 0)
        return err_errno(e, -errno, "could not run %s", argv[0]);
    s.argv = argv;
    s.stdout_fd = out ? fd : null;
    s.stderr_fd = quiet ? null : -1;
    int r = spawn_wait(&s, CAPTURE_MS, &status, e);
    if (!r && out)
        r = read_output(fd, out, e);
    if (r < 0)
        return r;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
