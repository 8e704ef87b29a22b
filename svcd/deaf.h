/* SPDX-License-Identifier: Apache-2.0 */
/* The first process of a container, which is not like others: pid_namespaces(7), "The namespace init process". */
#ifndef SVCD_DEAF_H
#define SVCD_DEAF_H

#include <stdbool.h>
#include <sys/types.h>

/*
 * True if the process is the first of a pid namespace below ours: all others of the namespace end with it. False if it
 * cannot be found out. proc is "/proc".
 */
bool is_first_of_pids(const char *proc, pid_t pid);

/*
 * True if the kernel drops the signal: the process is the first of a pid namespace below ours, and neither handles the
 * signal nor waits for it blocked. False for SIGKILL and SIGSTOP, and if it cannot be found out. proc is "/proc".
 */
bool signal_is_dropped(const char *proc, pid_t pid, int signo);

#endif
