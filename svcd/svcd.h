/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SVCD_SVCD_H
#define SVCD_SVCD_H

#include "svcd/containerd.h"
#include "svcd/control.h"
#include "svcd/logbound.h"
#include "svcd/service.h"
#include "svcd/up.h"

#define SERVICES_DIR "/containers/services"
#define OOM_SCORE "-999" /* ours, and containerd's after us */
#define SERVICES_MAX 1024
#define STARTS_MIN 4                            /* services that may be on their way at once, on the smallest machine */
#define STARTED_FILE "/run/keelson/system-init" /* there once the services were asked to start */

#define STOPPING_FILE "/run/keelson/stopping" /* there while all are being stopped */
#define STOP_FILE "/run/keelson/stop-seconds" /* what a stop of all may take */
#define STILL_THERE_MS 5000                   /* how often it is said who holds on */

struct svcd {
    struct loop loop;
    struct loop_source signals, still_there;
    struct containerd containerd;
    struct control control;
    struct up up;
    struct logbound logs;
    struct service *services; /* never moves: its members are in the loop */
    size_t services_len;
    const char *memory_dir;
    bool starting;  /* some services were on their way, when one changed last */
    bool start_due; /* system-init was asked for, and containerd does not answer yet */
    bool stopping;  /* SIGTERM: services, containerd, exit */
    bool ending;    /* all services are down: containerd is on its way out */
};

int svcd_main(void);

/* Starts containerd, so that it serves when the services are to start. */
void svcd_start_containerd(struct svcd *d);

/* Starts containerd, and every service as soon as it answers. Again: what is down is started. */
void svcd_system_init(struct svcd *d);

/* A svcd before this one was asked: its services are where it left them, and what was down by then stays down. */
void svcd_resume(struct svcd *d);

/* NULL: no such service. */
struct service *svcd_find(struct svcd *d, const char *name);

#endif
