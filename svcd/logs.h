/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SVCD_LOGS_H
#define SVCD_LOGS_H

#include <stdbool.h>

#include "lib/err.h"

#define LOGS_TAIL_MAX 1000

/*
 * Prints to standard output what the service has written to its standard error and output: from memlogd if it runs,
 * else from /var/log/NAME.log and NAME.out.log, one behind the other. What memlogd tells of lines that are missing
 * there comes in its place, with "memlogd: " in front. tail: only so many of the newest lines of each source (at most
 * LOGS_TAIL_MAX; 0: all of them). follow: then what comes, until the log daemon ends, for ever with files.
 */
int logs_print(const char *name, unsigned tail, bool follow, struct err *e);

#endif
