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

struct logfiles_config {
    const char *dir;
    unsigned max_files; /* rotated ones */
    uint64_t max_size;
    enum logfiles_sync sync;
    bool compress; /* rotated ones, with zstd */
};

struct logfile {
    char name[RING_SOURCE_MAX + 1]; /* as a file name */
    int fd;                         /* -1: not in use */
    uint64_t size, used;
    uint64_t rotate_after_ms; /* a rotation that failed is tried again then */
    unsigned rotate_pause_ms;
};

struct logfiles {
    struct logfiles_config config;
    uint64_t clock; /* counts uses */
    struct logfile v[LOGFILES_OPEN];
};

void logfiles_init(struct logfiles *f, const struct logfiles_config *config);
/*
 * Appends "TIME SOURCE MSG\n". All or nothing: after an error the file is as it was (as far as the disk lets us) and
 * the call may be repeated. A file, or the directory, that was removed is made again: the line is in the new one. A
 * rotation that fails is no error of the line: it is tried again after 1 s, 2 s, ... at most 60 s, and *e says so while
 * the function returns 0. A file that ends in the middle of a line, as after a power cut, gets its end.
 */
int logfiles_append(struct logfiles *f, const struct ring_entry *line, struct err *e);
/* Is that an error of the disk, or of what this process may have, which may pass? Else it is one of this file alone. */
bool logfiles_may_pass(const struct logfiles *f, int error);
void logfiles_close(struct logfiles *f);

#endif
