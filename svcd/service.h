/* SPDX-License-Identifier: Apache-2.0 */
/* One service: its bundle, its policy, what is wanted of it, where it is in its life, and how it has fared. */
#ifndef SVCD_SERVICE_H
#define SVCD_SERVICE_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "lib/loop.h"
#include "runtime-config/runtime.h"
#include "runtime-config/words.h"
#include "svcd/grpc.h"
#include "svcd/health.h"
#include "svcd/lifecycle.h"

#define SERVICE_NAME_MAX (IDENTIFIER_MAX + 1)
#define SERVICES_NAMESPACE "services.linuxkit"
#define SERVICE_ERROR_MAX 512
#define SERVICE_REASON_MAX 128

struct service;
struct grpc;

enum service_timer {
    TIMER_LIFE,  /* the state's deadline, or the pause before the next start */
    TIMER_PROBE, /* the next look at it */
    TIMER_READY, /* it must be ready by then */
    TIMERS
};

/* The world below a service; tests replace it. */
struct service_ops {
    void (*enter)(struct service *s, enum life l); /* does what the state does; answers with service_event() */
    void (*probe)(struct service *s, const struct probe_policy *p, uint64_t timeout_ms); /* with service_probed() */
    void (*stop_probe)(struct service *s);                                               /* no answer any more */
    uint64_t (*now_ms)(void);
    void (*set_timer)(struct service *s, enum service_timer t, uint64_t ms); /* 0: none; then service_timeout() */
};

typedef void service_changed_fn(struct service *s, void *data);
typedef bool service_turn_fn(const struct service *s, void *data);

struct service {
    char name[SERVICE_NAME_MAX];
    char *bundle; /* directory */
    const struct service_ops *ops;
    struct loop *loop;
    struct grpc **connection;    /* svcd's; NULL while there is none */
    service_changed_fn *changed; /* of its state or its health */
    service_turn_fn *turn;       /* whether it may start now, behind a pause; NULL: always */
    service_changed_fn *doubt;   /* containerd should have said something and has not; NULL: nobody wants to know */
    void *data;

    char ns[GRPC_NS_MAX]; /* containerd's, if it is not SERVICES_NAMESPACE; else "" */
    struct policy policy;
    struct service **after, **before; /* whom it starts behind, who starts behind it: order.h */
    size_t after_len, before_len;
    bool placed; /* order.c's */
    enum life life;
    struct life_record record;
    bool restart;                 /* start again once it is down */
    bool queued;                  /* to be started, as soon as its turn comes */
    bool again;                   /* it waits for a start, not for another look */
    bool due;                     /* its pause is over; it waits for its turn */
    bool alive;                   /* its task ran when it was last seen */
    bool settled;                 /* the first attempt has come to a result */
    bool paused;                  /* by somebody: that it does not answer is no illness */
    bool told;                    /* at the end of svcd: to stop */
    bool unfit;                   /* this life was not ready or well, and is to end */
    bool unseen;                  /* the svcd before this one was starting it: a task of it may run */
    bool returns;                 /* the svcd before this one took it down with itself */
    bool onfail_due;              /* it has failed for good, and nobody has acted on it yet */
    unsigned generation;          /* answers to calls of an earlier life are not for this one */
    uint64_t backoff_ms, look_ms; /* the last pause before a start; before another look */
    unsigned faults;              /* up.c's: how often it has failed */
    uint64_t fault_ns;            /* up.c's: when, the last time it looked */
    unsigned restarts;
    uint32_t pid;

    struct health_state health;
    struct probe *probe; /* under way, or NULL */
    unsigned probe_serial, probe_id;
    struct look *look; /* the child of the last look for a file, until it has ended */

    bool exit_known;
    uint32_t exit_status;                  /* of the last life that has ended */
    char exit_reason[SERVICE_REASON_MAX];  /* "exited with status 3"; "" */
    char error[SERVICE_ERROR_MAX];         /* why the last attempt or life failed; "" */
    char health_error[SERVICE_REASON_MAX]; /* why the last probe failed */
    char *cgroup;                          /* of the life that runs; NULL: not known */
    char *kept;                            /* memory.c's: what it noted last */
    bool own_pids;                         /* its process is the first of a pid namespace: the rest ends with it */
    uint64_t oom_kills;                    /* in it, when it began, or when containerd told of the last */
    uint64_t oom_seen_ms;                  /* when that was; 0: in no life of this */

    bool timed;        /* its first start is in the boot timeline, or on its way there */
    uint64_t asked_ns; /* of that first start; 0 afterwards */
    uint64_t entered_ns, started_ms;
    char *stdout_path, *stderr_path;
    struct runtime runtime;
    bool loaded; /* runtime, from a file of that age */
    struct timespec loaded_mtime;
    struct loop_source timers[TIMERS];
    int pidfd; /* of its process, while it runs; -1 */
    struct loop_source gone, overdue;
    struct worker *worker;
    void *call; /* acts.c's: one of its start, that containerd has not answered yet */
};

/* name is checked: containerd has to take it. The policy is read; what is wrong with it is said when
 * the service starts. */
int service_init(struct service *s, const char *dir, const char *name, struct loop *l, struct grpc **connection,
                 service_changed_fn *changed, void *data, struct err *e);
void service_fini(struct service *s);

/* The connection, for one call in the service's namespace; NULL while there is none. */
struct grpc *service_grpc(const struct service *s);

static inline const char *service_namespace(const struct service *s) {
    return *s->ns ? s->ns : SERVICES_NAMESPACE;
}

void service_start(struct service *s);
void service_stop(struct service *s);
void service_restart(struct service *s);

/* As a stop, and svcd ends behind it: once its process is gone it is over, whatever containerd keeps of it. */
void service_leave(struct service *s);

/* Tells the machine; s->changed is called after every change of state. */
void service_event(struct service *s, enum life_event ev);

/* Nothing of it runs, and nothing will be started unasked; what containerd keeps of it may be there still. */
static inline bool service_is_over(const struct service *s) {
    return life_is_down(s->life) || (s->life == LIFE_LONE_DOWN && !s->record.wanted && !s->restart);
}

/* Records why, for the console and `service list`, then LIFE_EV_ERROR. */
void service_fail(struct service *s, const char *what, const char *why);

/* Records how it ended, then LIFE_EV_EXIT. oom: the kernel killed in its cgroup for want of memory. */
void service_exited(struct service *s, uint32_t exit_status, bool oom);

/*
 * There is no such task: LIFE_EV_NOT_FOUND. If it ran when it was last seen, it has ended, and that is a failure: then
 * LIFE_EV_EXIT where it was looked for.
 */
void service_not_found(struct service *s);

/* The probe that was asked for last has come to a result; why is "" if ok. */
void service_probed(struct service *s, bool ok, const char *why);

/* It could not be asked, and that says nothing about it: once more after the interval. containerd is in doubt. */
void service_unprobed(struct service *s);

/* Behind the pause before a start, when it is not its turn: it is `due` from then on, and service_turn() starts it. */
void service_timeout(struct service *s, enum service_timer t);
void service_turn(struct service *s);

/* It runs, and is ready if it says when it is. */
bool service_is_ready(const struct service *s);

/* Why it is not up, when it should be: NULL if nothing is wrong. */
const char *service_trouble(const struct service *s);

/* For people: the state of its life, or "queued". */
const char *service_state_name(const struct service *s);

/* The default of set_timer, on the loop. */
void service_arm(struct service *s, enum service_timer t, uint64_t ms);

#endif
