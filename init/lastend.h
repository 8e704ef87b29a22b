/* SPDX-License-Identifier: Apache-2.0 */
/* Why the machine was started again, where the platform keeps it. */
#ifndef INIT_LASTEND_H
#define INIT_LASTEND_H

#include <stddef.h>

/*
 * Says if the last reset was a watchdog's (its bootstatus in sysfs, no device is opened for it), and if the last kernel
 * left records of its end in pstore. `root` is "" outside of tests.
 */
void lastend_report(const char *root);

/* Begins the lines in the kernel's log that the boot record leaves there. */
#define LASTEND_MARK "keelson: "

/*
 * The same in one line, "" if nothing is known: "the watchdog's reset", then what pstore has (it may be older than that
 * reset): "Kernel panic - not syncing: ...", and the last that the record of that boot has said.
 */
void lastend_describe(const char *root, char *out, size_t len);

#endif
