/* SPDX-License-Identifier: Apache-2.0 */
/* For tests of what is done to shims: a process with a shim's name and arguments, which does nothing. */
#ifndef SVCD_SHIM_TEST_H
#define SVCD_SHIM_TEST_H

#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "lib/fdutil.h"
#include "lib/spawn.h"

#define FAKE_SHIM "containerd-shim-runc-v2"

struct fake_shim {
    pid_t pid;
    int pidfd;
    int life; /* ends with it: a pipe that it has the other end of */
};

/* program lies in dir, which is to be removed behind it. */
static inline struct fake_shim fake_shim_begin(const char *dir, const char *program, const char *ns, const char *name) {
    static const char script[] = "#!/bin/sh\nkill -STOP $$\n";
    AUTO_FREE char *path = path_join(dir, program);
    struct spawn s = SPAWN_INIT;
    struct fake_shim shim;
    int p[2];

    assert_non_null(path);
    assert_int_equal(write_file_atomic(path, script, sizeof(script) - 1, 0755, false, NULL), 0);
    assert_int_equal(pipe2(p, O_CLOEXEC), 0);
    s.argv = (const char *const[]){path, "-namespace", ns, "-id", name, "-address", "/run/c.sock", NULL};
    s.stdout_fd = p[1];
    s.die_with_us = true;
    assert_int_equal(spawn(&s, &shim.pid, &shim.pidfd, NULL), 0);
    (void)close(p[1]);
    shim.life = p[0];
    return shim;
}

static inline bool fake_shim_is_gone(const struct fake_shim *shim, int wait_ms) {
    struct pollfd p = {.fd = shim->pidfd, .events = POLLIN};

    return poll(&p, 1, wait_ms) == 1;
}

/* Ends it, unless somebody has killed it already, as he should have or not. */
static inline void fake_shim_end(struct fake_shim *shim, bool should_be_gone) {
    assert_int_equal(fake_shim_is_gone(shim, should_be_gone ? 10000 : 50), should_be_gone);
    (void)kill(shim->pid, SIGKILL);
    (void)waitpid(shim->pid, NULL, 0);
    (void)close(shim->pidfd);
    (void)close(shim->life);
}

#endif
