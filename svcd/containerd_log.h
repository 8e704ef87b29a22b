/* SPDX-License-Identifier: Apache-2.0 */
/* containerd's own log files, bounded as those of services are. */
#ifndef SVCD_CONTAINERD_LOG_H
#define SVCD_CONTAINERD_LOG_H

#include "runtime-config/containerd_conf.h"
#include "svcd/logbound.h"

#define CONTAINERD_LOGS 2 /* stdout's and stderr's */

struct containerd_log {
    struct {
        struct logbound bound;
        char *path, *dir; /* NULL: there is none */
    } files[CONTAINERD_LOGS];
};

/* Zeroed before the first call; later calls change nothing. What is no file is none. */
void containerd_log_watch(struct containerd_log *l, struct loop *loop, const struct containerd_conf *conf);
void containerd_log_fini(struct containerd_log *l);

#endif
