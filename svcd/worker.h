/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What may block is done by a short-lived child: network interfaces, for which the kernel may load a module, and mounts
 * of devices or of other machines. Most services need none.
 */
#ifndef SVCD_WORKER_H
#define SVCD_WORKER_H

#include "svcd/service.h"

#define WORKER_NAME "svcd-worker" /* argv[0] */
#define WORKER_MS 60000           /* after that it is killed, and the job has failed, whether it ends or not */

enum worker_job {
    WORKER_PREPARE, /* remove what is left of the life before, take back its interfaces; cgroups, mounts, mkdir */
    WORKER_ATTACH,  /* interfaces and namespaces for the process s->pid */
};

/* Whether the job for this service is one for a child. */
bool worker_needed(const struct service *s, enum worker_job job);

struct worker_place {
    const char *bundle, *name, *ns; /* ns: containerd's namespace */
    int pid;                        /* WORKER_ATTACH */
};

/* Does it here, and blocks for as long as it takes. */
int worker_do(enum worker_job job, const struct runtime *rt, const struct worker_place *at, struct err *e);

/*
 * Starts a child; the service hears service_event(OK) or service_fail() when it has ended, or its time is over. There
 * is one for a service at most: behind one that was killed, and is still there, it is started when that has ended.
 */
int worker_start(struct service *s, enum worker_job job, struct err *e);
void worker_stop(struct service *s); /* kills it; the service hears nothing any more */
void worker_fini(struct service *s); /* the same; nor is its end waited for */

/* The child's main. */
int worker_main(int argc, char **argv);

#endif
