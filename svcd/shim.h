/* SPDX-License-Identifier: Apache-2.0 */
/* containerd's shim of a task, found by its command line: where its folder is gone, nothing else leads to it. */
#ifndef SVCD_SHIM_H
#define SVCD_SHIM_H

#include <stdbool.h>

#define SHIM_COMM "containerd-shim" /* what the kernel keeps of its name */

/*
 * SIGKILL to whoever calls itself the shim of this task: containerd cleans up behind it then, and forgets the task.
 * False: there is none.
 */
bool shim_kill(const char *ns, const char *name);

#endif
