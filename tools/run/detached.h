/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A machine that runs on its own (`run --detach`). In its state folder are qmp.sock (QEMU's monitor), console.sock and
 * console.log (its console, now and so far), record.json (the boot records it has written, a line each), and pid.
 */
#ifndef TOOLS_RUN_DETACHED_H
#define TOOLS_RUN_DETACHED_H

#include "tools/run/options.h"
#include "tools/run/qemu.h"

#define STOP_SECONDS 90 /* what a machine gets to power off */

/* Starts QEMU, which goes into the background once the machine exists. Returns the exit status of this program. */
int detached_start(const struct qemu_command *q, const struct run_options *o);

/* `keelson stop [--state DIR] [--timeout SECONDS] [--force] NAME`: presses the power button and waits for the end. */
int stop_main(int argc, char **argv);

/* `keelson console [--state DIR] NAME`: its console is this terminal until Ctrl-] or its end. */
int console_main(int argc, char **argv);

#endif
