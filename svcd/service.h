/* SPDX-License-Identifier: Apache-2.0 */
/* One service: its bundle, what is wanted of it, where it is in its life, and how it has fared. */
#ifndef SVCD_SERVICE_H
#define SVCD_SERVICE_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/loop.h"
#include "runtime-config/runtime.h"
#include "svcd/lifecycle.h"

#define SERVICE_NAME_MAX 128
#define SERVICE_ERROR_MAX 512

struct service;

/* What the states do; tests replace it. Answers come back through service_event(). */
struct service_ops {
    void (*enter)(struct service *s, enum life l);
};

typedef void service_changed_fn(struct service *s, void *data);

struct service {
    char name[SERVICE_NAME_MAX];
    char *bundle; /* directory */
    const struct service_ops *ops;
    struct loop *loop;
    struct grpc **connection; /* svcd's; NULL while there is none */
    service_changed_fn *changed;
    void *data;

    enum life life;
    bool wanted;
    bool restart;        /* start again once it is down */
    bool ended;          /* it has run and ended since it was last asked to start */
    bool failed;         /* the last attempt went wrong, or it ended with something else than 0 */
    bool queued;         /* to be started, as soon as fewer others are on their way */
    bool settled;        /* the first attempt has come to a result */
    unsigned generation; /* answers to calls of an earlier life are not for this one */
    unsigned backoff_ms;
    unsigned restarts;
    uint32_t pid;
    uint32_t exit_status;
    bool timed;        /* its first start is in the boot timeline, or on its way there */
    uint64_t asked_ns; /* of that first start; 0 afterwards */
    uint64_t entered_ns, started_ms;
    char error[SERVICE_ERROR_MAX]; /* of the last failure */
    char *stdout_path, *stderr_path;
    struct runtime runtime;
    struct loop_source timer;
};

/* name is checked: 1 to 127 characters, no slash, not . or .. */
int service_init(struct service *s, const char *dir, const char *name, struct loop *l, struct grpc **connection,
                 service_changed_fn *changed, void *data, struct err *e);
void service_fini(struct service *s);

void service_start(struct service *s);
void service_stop(struct service *s);
void service_restart(struct service *s);

/* Tells the machine; s->changed is called after every change of state. */
void service_event(struct service *s, enum life_event ev);

/* Records why, for the console and `service list`, then LIFE_EV_ERROR. */
void service_fail(struct service *s, const char *what, const char *why);

/* Records how it ended, then LIFE_EV_EXIT. */
void service_exited(struct service *s, uint32_t exit_status);

#endif
