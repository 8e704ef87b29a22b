/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Containers' output to memlogd: the reading end of a pipe or FIFO is handed over, with the source's name. Waits at
 * most LOGSINK_PATIENCE_MS for a busy memlogd. Whoever gets an error here writes to a file instead.
 */
#ifndef SVCD_LOGSINK_H
#define SVCD_LOGSINK_H

#include <stdbool.h>

#include "lib/err.h"

#define LOGSINK_PATIENCE_MS 100

/* Is there a log daemon's socket? */
bool logsink_present(const char *socket);
/* Makes a pipe; *fd is its writing end. */
int logsink_pipe(const char *socket, const char *source, int *fd, struct err *e);
/* Makes a FIFO at path, in place of what was there. Directories are made. */
int logsink_fifo(const char *socket, const char *path, const char *source, struct err *e);

#endif
