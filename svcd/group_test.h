/* SPDX-License-Identifier: Apache-2.0 */
/* For tests of containers' processes and control groups. */
#ifndef SVCD_GROUP_TEST_H
#define SVCD_GROUP_TEST_H

#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>

#include "lib/fdutil.h"

/* Writes the file, and makes the directories that it is in. */
static inline void put_file(const char *dir, const char *path, const char *text) {
    AUTO_FREE char *full = path_join(dir, path);

    assert_non_null(full);
    *strrchr(full, '/') = '\0';
    assert_int_equal(mkdir_p(full, 0755, NULL), 0);
    full[strlen(full)] = '/';
    assert_int_equal(write_file_atomic(full, text, strlen(text), 0644, false, NULL), 0);
}

/* fork(), but the child is the first of a pid namespace. -1: the machine does not allow that. */
static inline pid_t fork_apart(void) {
    pid_t pid = (pid_t)syscall(SYS_clone, CLONE_NEWPID | SIGCHLD, NULL, NULL, NULL, NULL);

    return pid < 0 ? (pid_t)syscall(SYS_clone, CLONE_NEWUSER | CLONE_NEWPID | SIGCHLD, NULL, NULL, NULL, NULL) : pid;
}

#endif
