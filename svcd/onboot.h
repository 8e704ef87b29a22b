/* SPDX-License-Identifier: Apache-2.0 */
/* One-shot containers through the runc command line, one after another; and volumes. In the foreground. */
#ifndef SVCD_ONBOOT_H
#define SVCD_ONBOOT_H

#include <stdbool.h>

#include "cmdline/cmdline.h"

struct oneshot_dir {
    const char *dir;     /* /containers/onboot */
    const char *log_dir; /* /run/log/onboot; linked from link */
    const char *link;    /* /var/log/onboot */
    const char *prefix;  /* of container ids and log names: "onboot" */
    const char *stage;   /* parent in the boot timeline; NULL: not part of the boot */
};

extern const struct oneshot_dir oneshot_onboot, oneshot_onshutdown;

/* Runs every bundle of the directory in name order. A failure is reported and the next one runs. Returns failures. */
unsigned oneshot_run(const struct oneshot_dir *d, const struct cmdline *c);

/* Mounts every volume's overlay. Returns failures. */
unsigned volumes_mount(const char *dir);

#endif
