/* SPDX-License-Identifier: Apache-2.0 */
/*
 * containerd as a daemon of svcd's: started, or adopted if it is there already (svcd itself may have been restarted),
 * watched, started again when it dies, stopped at the end. It is in a session of its own and outlives svcd.
 */
#ifndef SVCD_CONTAINERD_H
#define SVCD_CONTAINERD_H

#include <stdbool.h>
#include <sys/types.h>

#include "lib/loop.h"
#include "svcd/grpc.h"

struct containerd;
/* Ready: *connection may be used. Lost: it may not any more. Ended: it has stopped, as was asked. */
typedef void containerd_fn(void *data);

struct containerd {
    struct loop *loop;
    struct grpc *grpc;
    bool ready, wanted, adopted, complained;
    pid_t pid;
    int pidfd;
    struct loop_source death, timer;
    unsigned delay_ms;
    uint64_t started_ms, start_ns;
    containerd_fn *on_ready, *on_lost, *on_ended;
    void *data;
};

void containerd_init(struct containerd *c, struct loop *l, containerd_fn *on_ready, containerd_fn *on_lost,
                     containerd_fn *on_ended, void *data);
void containerd_start(struct containerd *c);
void containerd_stop(struct containerd *c);

#endif
