/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Folders of the host in the guest: one virtiofsd for each, which QEMU talks to over a vhost-user socket. The guest
 * mounts the first as virtiofs0: `mount -t virtiofs virtiofs0 /mnt`.
 */
#ifndef TOOLS_RUN_SHARES_H
#define TOOLS_RUN_SHARES_H

#include <sys/types.h>

#include "lib/temp.h"
#include "tools/run/options.h"

struct shares {
    struct temp_dir dir; /* of the sockets */
    pid_t pids[RUN_SHARES_MAX];
    size_t len;
};

/* Starts them, and puts the paths of their sockets into o->shares. They end with us, or with shares_stop(). */
int shares_start(struct shares *s, struct run_options *o, struct err *e);
void shares_stop(struct shares *s);
#define AUTO_SHARES AUTO(shares_stop)

#endif
