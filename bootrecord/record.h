/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The boot record (lib/bootrecord.h), made and delivered by a program of its own, which PID 1 starts: it reads files
 * and asks memlogd, which may take time or go wrong. It goes to /run/keelson/record.json, to the virtio port
 * org.keelson.record, to /dev/pmsg0, and as one line to the consoles and into the kernel's log, of which pstore keeps
 * the end.
 */
#ifndef BOOTRECORD_RECORD_H
#define BOOTRECORD_RECORD_H

#include <stddef.h>

#define RECORD_PROGRAM "/usr/bin/bootrecord"

/* The words that it is started with: after its name, and then NULL. */
enum record_word {
    RECORD_STATE,
    RECORD_END,
    RECORD_RUNNING,
    RECORD_LEAST_KIB,
    RECORD_LINES,
    RECORD_BYTES,
    RECORD_WORDS
};

/* words: RECORD_WORDS of them; what is no number counts as 0. Returns an exit status. */
int record_main(int argc, char **words);

/* For tests, which have a root of their own. */

/* The last that a step ("onboot/000-x", "services/www") wrote: from its logs in files below root. */
void record_log_tail(const char *root, const char *step, char *out, size_t len);
/* "010-onboot: 000-hangs": the step, and the one-shot in it that has not ended. */
void record_running(const char *root, const char *step, char *out, size_t len);

#endif
