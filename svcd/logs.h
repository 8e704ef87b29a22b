/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SVCD_LOGS_H
#define SVCD_LOGS_H

#include <stdbool.h>

#include "lib/err.h"

/*
 * Prints to standard output what the service has written to its standard error and output: from memlogd if it runs,
 * else from /var/log/NAME.log and NAME.out.log, one behind the other. What memlogd tells of lines that are missing
 * there comes in its place, with "memlogd: " in front. follow: then what comes, for ever; over the ends of memlogd
 * unless none comes back, which is an error. -ENOENT: nobody knows the name. -ETIMEDOUT: memlogd does not answer.
 */
int logs_print(const char *name, bool follow, struct err *e);

/* Only max of the newest lines; from files, of each of them. -ENOENT: there is no log. */
int logs_print_newest(const char *name, unsigned max, struct err *e);

#endif
