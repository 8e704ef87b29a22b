/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A service's process, without containerd: signals go straight to it, and SIGKILL to its whole container, so that
 * nobody who hangs in between keeps it alive. containerd tells how it ended; that it has ended is seen here.
 */
#ifndef SVCD_PROCESS_H
#define SVCD_PROCESS_H

#include "svcd/service.h"

#define EXIT_OVERDUE_MS 5000 /* a process is gone, and containerd does not say so */

/* Watches s->pid, of which containerd says that it is there. */
void process_watch(struct service *s);

/* The same, of which the svcd before this one knew; -ESRCH: it is gone. Nothing, if it is watched. */
int process_watch_again(struct service *s);

/* It has ended, or was never watched. */
bool process_is_gone(const struct service *s);

/* s->pid is alive, or a zombie, and in or below the control group that the service had: its number is not another's by
 * now. */
bool process_is_there(const struct service *s);

/* Stops watching it. */
void process_forget(struct service *s);

/* To its first process. -ESRCH: there is none. */
int process_signal(struct service *s, int signo);

/*
 * Its stop signal. A first process that does not handle it, such as a shell, never sees it: the others of its pid
 * namespace get it then, and end by themselves. If there are none there is nothing to wait for, and it is SIGKILL.
 * -ESRCH: it is not watched.
 */
int process_stop(const struct service *s);

/*
 * SIGKILL to all of it, paused or not: to the first process if that is the first of a pid namespace, as the kernel ends
 * the others of the namespace with it; else to its group. A negative errno: that was not all of it.
 */
int process_kill(const struct service *s);

/* SIGKILL to a command in it and to the children of that, if it leads a process group and is in the service's control
 * group: else the number is another's by now, or the runtime does it otherwise. */
void process_kill_led_by(const struct service *s, pid_t leader);

/*
 * Whose shim hangs is a zombie: nobody takes notice of its end. True: the shim was killed, and containerd cleans up
 * behind it.
 */
bool process_free(const struct service *s);

#endif
