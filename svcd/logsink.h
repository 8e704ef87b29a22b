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
/*
 * Removes the FIFO at path, if there is one. Unless somebody has it open for writing, its source ends: one that nobody
 * has ever opened, as its service could not be started, would stay with memlogd for ever.
 */
int logsink_remove(const char *path, struct err *e);
/* Makes a FIFO at path, in place of what was there: logsink_remove(). Directories are made. */
int logsink_fifo(const char *socket, const char *path, const char *source, struct err *e);

#endif
