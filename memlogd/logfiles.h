/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Log files with rotation: SOURCE.log is written to; when it is larger than max_size it becomes SOURCE.log.0, that one
 * .log.1, and so on; max_files of these stay. Bounds: LOGFILES_OPEN files are open, the one used longest ago is closed
 * for another one. A source's name cannot lead out of the directory.
 */
#ifndef MEMLOGD_LOGFILES_H
#define MEMLOGD_LOGFILES_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/err.h"
#include "memlogd/ring.h"

#define LOGFILES_OPEN 64
#define LOGFILES_MAX_FILES 1000

enum logfiles_sync { LOGFILES_SYNC_NEVER, LOGFILES_SYNC_ROTATE, LOGFILES_SYNC_LINE };

struct logfile {
    char name[RING_SOURCE_MAX + 1]; /* as a file name */
    int fd;                         /* -1: not in use */
    uint64_t size, used;
};

struct logfiles {
    const char *dir;
    unsigned max_files;
    uint64_t max_size;
    enum logfiles_sync sync;
    uint64_t clock; /* counts uses */
    struct logfile v[LOGFILES_OPEN];
};

void logfiles_init(struct logfiles *f, const char *dir, unsigned max_files, uint64_t max_size, enum logfiles_sync sync);
/*
 * Appends "TIME SOURCE MSG\n". All or nothing: after an error the file is as it was (as far as the disk lets us) and
 * the call may be repeated. A rotation that fails is no error of the line: it is tried again with the next one, and *e
 * says so while the function returns 0.
 */
int logfiles_append(struct logfiles *f, const struct ring_entry *line, struct err *e);
void logfiles_close(struct logfiles *f);

#endif
