/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one way to start a program. Every descriptor is closed in the child except 0, 1, 2 and those in `keep_fds`;
 * signal mask and dispositions are reset; a failed exec is reported to the caller with its real errno.
 */
#ifndef LIB_SPAWN_H
#define LIB_SPAWN_H

#include <stdbool.h>
#include <sys/types.h>

#include "lib/err.h"

struct spawn {
    const char *const *argv; /* argv[0] is looked up in PATH if it has no slash */
    const char *program;     /* what to execute, if it is not argv[0] */
    const char *const *envp; /* NULL: the caller's environment */
    const char *cwd;         /* NULL: the caller's */
    int stdin_fd;            /* -1: /dev/null */
    int stdout_fd;           /* -1: the caller's */
    int stderr_fd;           /* -1: the caller's */
    const int *keep_fds;     /* inherited under the same numbers */
    unsigned keep_fds_len;
    bool setsid;
    bool ctty;        /* with setsid: stdin becomes the controlling terminal */
    bool die_with_us; /* SIGKILL when the spawning thread ends */
};

#define SPAWN_INIT                                                                                                     \
    { .stdin_fd = -1, .stdout_fd = -1, .stderr_fd = -1 }

/* *pid is the child's. If pidfd is not NULL, *pidfd is a close-on-exec pidfd that the caller owns. */
int spawn(const struct spawn *s, pid_t *pid, int *pidfd, struct err *e);

/*
 * Starts, and waits for the end, at most timeout_ms (0: no limit; then SIGKILL and -ETIMEDOUT). *status is as from
 * waitpid(2). For command line programs and init.d steps only: it blocks. Reaps only its own child.
 */
int spawn_wait(const struct spawn *s, unsigned timeout_ms, int *status, struct err *e);

/* "exited with status 3", "was killed by signal 9 (Killed)"; buf is returned. */
const char *exit_reason(int status, char *buf, size_t len);

#endif
