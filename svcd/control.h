/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control socket: a client sends one JSON object on a line, and gets JSON objects on lines, the last of which has
 * "done":true. At most CONTROL_CLIENTS_MAX clients, all of svcd's own user; one too many finds its connection closed. A
 * request of more than CONTROL_LINE_MAX bytes ends the connection, and so does a request, or a client that reads its
 * answer, that takes longer than CONTROL_REQUEST_MS. How long it takes until there is an answer is not limited.
 *
 *   {"cmd":"system-init"}                answered when every service has started or failed
 *   {"cmd":"settle"}                     the same; nothing is started if system-init was asked for already
 *   {"cmd":"list"}                       {"services":[SERVICE, ...],"lost_lines":N,"done":true}: what the console did
 * not take
 *   {"cmd":"status","name":"www"}        SERVICE, with "policy" and "cgroup"
 *   {"cmd":"start|stop|restart","name":"www"}   SERVICE, answered when it runs, is down, or has failed
 *   {"cmd":"kill","name":"www","signal":"SIGHUP"}   its first process gets the signal (SIGKILL, if none is named)
 *   {"cmd":"wait","name":"www"}          SERVICE, answered when it is down
 *   {"cmd":"ping"}                       {"done":true}, at once
 *
 * SERVICE is {name, state, health, health_error, pid, up_ms, restarts, exit_status, last_exit, last_error, wanted}.
 * "error" in the last object: what went wrong. {"note":TEXT} before it: what is waited for; it is not the end.
 */
#ifndef SVCD_CONTROL_H
#define SVCD_CONTROL_H

#include "lib/buf.h"
#include "lib/loop.h"
#include "svcd/service.h"

#define CONTROL_SOCKET "/run/keelson/svcd.sock"
#define CONTROL_CLIENTS_MAX 64
#define CONTROL_LINE_MAX 65536
#define CONTROL_REQUEST_MS 10000
#define CONTROL_PATIENCE_MS 10000 /* who has waited for so long for containerd hears of it, and so on */

struct svcd;
struct control;

enum control_wait { WAIT_NOTHING, WAIT_ALL_SETTLED, WAIT_RUNNING, WAIT_DOWN, WAIT_END };

struct control_client {
    struct control *control;
    int fd;                              /* -1: free */
    struct loop_source source, deadline; /* the deadline is for the request */
    struct loop_source patience;         /* of one that waits */
    struct buf in, out;
    enum control_wait wait;
    struct service *service; /* what is waited for, if it is one */
    char argument[32];       /* of the request: a signal */
    bool closing;            /* once out is empty */
};

struct control {
    struct svcd *svcd;
    struct loop *loop;
    const char *path;
    unsigned patience_ms; /* CONTROL_PATIENCE_MS; tests have less */
    int fd, lock_fd, spare_fd;
    struct loop_source source;
    struct control_client clients[CONTROL_CLIENTS_MAX];
};

/* path must outlive it. -EADDRINUSE: another svcd has it (PATH.lock is locked). On failure nothing is left to stop. */
int control_start(struct control *c, const char *path, struct svcd *svcd, struct loop *l, struct err *e);
void control_stop(struct control *c);

/* Answers the clients that waited for it. */
void control_service_changed(struct control *c, const struct service *s);

#endif
