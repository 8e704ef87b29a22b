/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SVCD_ONBOOT_PRIV_H
#define SVCD_ONBOOT_PRIV_H

#include "runtime-config/runtime.h"
#include "svcd/onboot.h"
#include "svcd/onboot_output.h"
#include "svcd/onboot_record.h"

struct oneshot {
    const struct oneshot_dir *dir;
    const struct oneshot_system *sys;
    const struct cmdline *cmdline;
    const char *name; /* of its directory: runc's id, as LinuxKit has it */
    char *bundle;
    char *label; /* "onboot.000-dhcpcd": of its logs, and in messages */
    char *links; /* a file with the interfaces that were made for it and are in the root */
    struct output out, err;
    struct runtime runtime;
    uint64_t deadline_ms; /* on clock_ms(); 0: none */
    bool late;            /* that has passed */
    uint64_t runc_ns;
};

#define ONESHOT_KILL_GRACE_MS 5000

/* "NAME: STAGE" on the console, with runc_debug. */
void oneshot_announce(const struct oneshot *o, const char *stage);

/*
 * Waits for a child until its end or the deadline, when kill_all, unless it is NULL, and then SIGKILL are to end it;
 * and reaps it. 0, with *status, or a negative errno: it was too late, or could not be waited for.
 */
int oneshot_attend(struct oneshot *o, pid_t pid, int pidfd, void (*kill_all)(struct oneshot *o), int *status,
                   struct err *e);

/* runtime_prepare(), in a child if it may block. */
int oneshot_prepare(struct oneshot *o, struct err *e);

/*
 * `runc run` where nothing has to happen between create and start, else create, give interfaces and bind namespaces,
 * start, wait, delete. Says in *result how it ended, and in its error why if that is not "ok".
 */
void oneshot_run_container(struct oneshot *o, struct oneshot_result *result);

#endif
