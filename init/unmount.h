/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INIT_UNMOUNT_H
#define INIT_UNMOUNT_H

#include <stdbool.h>

/*
 * The last worker of a shutdown: sync, then unmounts what holds data, newest first, again until nothing changes;
 * network file systems lazily. What stays is named and made read-only. Returns an exit status.
 */
int unmount_main(void);

/* Splits a line of /proc/self/mounts in place; the path is unescaped. For tests. */
bool mount_parse(char *line, char **where, char **type);

#endif
