/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Waiting for a machine: for QEMU's end, for a signal, for the time that it may take, and for what the guest says.
 *
 * Signals: SIGTERM, SIGHUP and SIGINT are passed on to QEMU as SIGTERM. Descriptors: a loop's, QEMU's pidfd, our end of
 * the guest's port.
 */
#ifndef TOOLS_RUN_WATCH_H
#define TOOLS_RUN_WATCH_H

#include "tools/run/options.h"
#include "tools/run/qemu.h"

#define RUN_MISUSE 100
#define RUN_GUEST_FAILED 2
#define RUN_NO_VERDICT 3
#define RUN_TIMED_OUT 124 /* as timeout(1) */

/*
 * Runs QEMU to its end, or to that of what o->wait waits for, and prints what the guest has said if it was waited for.
 * guest_fd: our end of the port (-1: none), inherited_fd: QEMU's, which is closed here. Returns the exit status of this
 * program.
 */
int watch_run(const struct qemu_command *q, const struct run_options *o, int guest_fd, int inherited_fd);

/* Of a machine that could not be started; why is told. With --json prints that there is no verdict. Returns 1. */
int watch_not_started(const struct run_options *o);

#endif
