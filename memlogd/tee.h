/* SPDX-License-Identifier: Apache-2.0 */
/* `logwrite -n NAME COMMAND...`: runs a command whose stdout and stderr are copied to memlogd as well. */
#ifndef MEMLOGD_TEE_H
#define MEMLOGD_TEE_H

#include "lib/err.h"

/*
 * Sources: NAME.out for stdout, NAME for stderr. Signals that may be meant for it (TERM, INT, HUP, QUIT, USR1, USR2,
 * WINCH) are passed on. Returns when the command has ended and nobody has its outputs open any more, or with the next
 * of these signals; *status is the command's exit status (128 + signal if it was killed). While memlogd is busy nothing
 * is read, as by a full pipe. Without memlogd the command runs all the same, and lines are lost to the log; it is
 * looked for again once a second.
 */
int tee_run(const char *socket, const char *name, char *const *command, int *status, struct err *e);

#endif
