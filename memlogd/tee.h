/* SPDX-License-Identifier: Apache-2.0 */
/* `logwrite -n NAME COMMAND...`: runs a command whose stdout and stderr are copied to memlogd as well. */
#ifndef MEMLOGD_TEE_H
#define MEMLOGD_TEE_H

#include "lib/err.h"

/*
 * Sources: NAME.out for stdout, NAME for stderr. SIGTERM, SIGINT and SIGHUP are passed on. *status is the command's
 * exit status (128 + signal if it was killed). Without memlogd the command runs all the same, and lines are lost to the
 * log; it is looked for again once a second.
 */
int tee_run(const char *socket, const char *name, char *const *command, int *status, struct err *e);

#endif
