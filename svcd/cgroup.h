/* SPDX-License-Identifier: Apache-2.0 */
/* What a container's control group says; versions 1 and 2. */
#ifndef SVCD_CGROUP_H
#define SVCD_CGROUP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/err.h"

#define CGROUP_UNKNOWN UINT64_MAX /* the kernel does not say */
#define CGROUP_NO_LIMIT (UINT64_MAX - 1)

struct cgroup_usage {
    uint64_t memory, memory_peak, memory_max; /* bytes */
    uint64_t cpu_us;                          /* microseconds of all processors */
    uint64_t pids, pids_max;
    uint64_t oom_kills;
};

/*
 * malloc'd: the path of the process's group below the hierarchy's root; with version 1, of its memory group. NULL: not
 * known, as that of a process that has ended. proc is "/proc".
 */
char *cgroup_of(const char *proc, pid_t pid);

/* root is "/sys/fs/cgroup". What cannot be read is CGROUP_UNKNOWN. */
void cgroup_read(const char *root, const char *path, struct cgroup_usage *out);

/*
 * Puts the process into a group of the hierarchy's root, which is made if it is missing. -ENOTSUP: version 1, where the
 * runtime puts containers below the group of who calls it.
 */
int cgroup_enter(const char *root, const char *group, pid_t pid, struct err *e);

/* Threads in it and in the groups below it; CGROUP_UNKNOWN if the kernel does not say. */
uint64_t cgroup_pids(const char *root, const char *path);

/* False: version 1, where who is paused dies of SIGKILL only when it goes on. */
bool cgroup_is_v2(const char *root);

/*
 * To every process in it and in the groups below it that is in the pid namespace of `first`, and is not `first` itself:
 * a group may be another container's, too. Returns how many got it. -EINVAL: it is the hierarchy's root.
 */
int cgroup_signal_beside(const char *root, const char *path, pid_t first, int signo);

/*
 * SIGKILL to all of them at once, paused or not. -ENOTSUP: the kernel cannot do that (version 1, or before 5.14); those
 * that were there got a signal each, which paused ones see later. -EINVAL: it is the hierarchy's root, everybody's.
 */
int cgroup_kill(const char *root, const char *path);

/* How often the kernel has killed in it for want of memory; 0 if it does not say. */
uint64_t cgroup_oom_kills(const char *root, const char *path);

#endif
