/* SPDX-License-Identifier: Apache-2.0 */
/* One-shot containers through the runc command line, one after another, in the foreground. */
#ifndef SVCD_ONBOOT_H
#define SVCD_ONBOOT_H

#include <stdbool.h>

#include "cmdline/cmdline.h"
#include "runtime-config/words.h"

struct oneshot_dir {
    const char *dir;     /* /containers/onboot */
    const char *log_dir; /* /run/log/onboot; linked from link */
    const char *link;    /* /var/log/onboot */
    const char *prefix;  /* of log names and the record's name: "onboot" */
    const char *stage;   /* parent in the boot timeline; NULL: not part of the boot */
};

extern const struct oneshot_dir oneshot_onboot, oneshot_onshutdown;

/* What is around; tests have their own. */
struct oneshot_system {
    const char *runc;       /* the program */
    const char *run_dir;    /* PREFIX.json, the record of a run, and small files while it lasts */
    const char *log_socket; /* memlogd's */
    const char *timeline;   /* file */
    bool (*onfail)(const char *name, enum onfail onfail); /* as onfail_act() */
    const char *preparer;                                 /* the program whose child is ONBOOT_PREPARER */
};

extern const struct oneshot_system oneshot_system;

/*
 * Runs every bundle of the directory in name order, each when the one before has ended. A failure is reported, with
 * what stays of it, and the next one runs, unless its `onfail` says otherwise. RUN_DIR/PREFIX.json has how each ended:
 * see svcd/onboot_record.h. Makes the process a subreaper. Returns failures.
 */
unsigned oneshot_run(const struct oneshot_dir *d, const struct oneshot_system *sys, const struct cmdline *c);

#endif
