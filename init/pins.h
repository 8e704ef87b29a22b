/* SPDX-License-Identifier: Apache-2.0 */
/* Who keeps a file system busy: named on the console when it cannot be unmounted. */
#ifndef INIT_PINS_H
#define INIT_PINS_H

#include <sys/types.h>

#define PINS_MAX 10 /* named for each mount; the others are counted */

/*
 * One line each, "WHERE is kept by ...": what is mounted below it; processes, and what of it they use (cwd, root, exe,
 * open files, maps); loop devices and swap whose file is on it; other mount namespaces that have dev mounted too.
 * Returns how many there are. For a worker: a file system that hangs may hold it up.
 */
unsigned pins_report(const char *where, dev_t dev);

/* Only the last kind: where we ourselves have unmounted it. */
unsigned pins_report_namespaces(const char *where, dev_t dev);

#endif
