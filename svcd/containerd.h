/* SPDX-License-Identifier: Apache-2.0 */
/*
 * containerd as a daemon of svcd's: started, or adopted if it is there already (svcd itself may have been restarted),
 * watched, started again when it dies, stopped at the end. It is in a session of its own and outlives svcd.
 *
 * That it serves is seen by its socket, whose directory is watched (and the next one of its name, when that was
 * removed), and by the answer to a first call, for which there is no hurry. One that does not serve within
 * CONTAINERD_START_MS (when adopted: CONTAINERD_SLOW_MS) of its start is killed and started anew. Later nobody pings
 * it; but whoever has reason to doubt it says so, and then it has CONTAINERD_SIGN_MS to answer, or to use the processor
 * at least: one that is busy has CONTAINERD_BUSY_MS. Services do not notice.
 */
#ifndef SVCD_CONTAINERD_H
#define SVCD_CONTAINERD_H

#include <stdbool.h>
#include <sys/types.h>

#include "lib/loop.h"
#include "svcd/containerd_log.h"
#include "svcd/ctrd.h"
#include "svcd/grpc.h"

#define CONTAINERD_SLOW_MS 30000 /* how often one that does not serve is named */
#define CONTAINERD_START_MS 120000
#define CONTAINERD_SIGN_MS 10000
#define CONTAINERD_BUSY_MS 120000
/* Its own and its shims'; not with version 1. Services' groups are called as they are: one may be called containerd. */
#define CONTAINERD_CGROUP "keelson.containerd"
#define CONTAINERD_STOP_MS 5000 /* then it is killed */
#define CONTAINERD_FAULTS_MAX 3 /* failures of its first start that are in the timeline */

struct containerd;
/* Ready: *connection may be used. Lost: it may not any more. Ended: it has stopped, as was asked. */
typedef void containerd_fn(void *data);
typedef void containerd_event_fn(void *data, const struct ctrd_event *ev);

struct containerd {
    struct loop *loop;
    struct grpc *grpc;
    bool ready, wanted, adopted;
    bool doubted;        /* asked for a sign of life, */
    uint64_t doubted_ms; /* since then, */
    uint64_t used_ns;    /* when it had used so much processor time */
    pid_t pid;
    int pidfd, inotify_fd, watch; /* the last, of the socket's folder: -1 if there is none */
    const char *socket_dir;
    struct loop_source death, timer, slow, socket_seen;
    unsigned delay_ms;
    unsigned start_faults; /* how often its first start has failed */
    uint64_t started_ms, start_ns;
    struct containerd_log log;
    char trouble[ERR_MSG_MAX]; /* why it is not there, as far as known; "" */
    containerd_fn *on_ready, *on_lost, *on_ended;
    containerd_event_fn *on_event; /* NULL: nobody wants to know */
    void *data;
};

void containerd_init(struct containerd *c, struct loop *l, containerd_fn *on_ready, containerd_fn *on_lost,
                     containerd_fn *on_ended, void *data);
/* Again: one that is in the pause before its next start is started now. */
void containerd_start(struct containerd *c);
void containerd_stop(struct containerd *c);

/* It should have said something. It is asked for a sign of life, and killed if there is none. */
void containerd_doubt(struct containerd *c);

/* "" while it serves, else what is the matter, for people. */
const char *containerd_trouble(const struct containerd *c);

#endif
