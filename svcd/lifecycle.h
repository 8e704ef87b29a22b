/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The life of a service as a table: state x event -> state. What a state does when it is entered, and what is wanted of
 * the service, are the business of service.c; tests put a fake system there.
 */
#ifndef SVCD_LIFECYCLE_H
#define SVCD_LIFECYCLE_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime-config/policy.h"

enum life {
    LIFE_DOWN,            /* nothing of it is in containerd, nothing is to be */
    LIFE_FAILED,          /* likewise, but it should run: its policy starts it no more */
    LIFE_DETACHED,        /* containerd is not there; what becomes of it is seen when it is back */
    LIFE_ADOPT,           /* asks whether a task of that name exists */
    LIFE_CLEAN_KILL,      /* removes what an earlier run left: kill, */
    LIFE_CLEAN_TASK,      /* delete the task, */
    LIFE_CLEAN_CONTAINER, /* delete the container */
    LIFE_DECIDE,          /* start, back off, stay down or give up */
    LIFE_PREPARE,         /* mounts and log files */
    LIFE_CREATE,
    LIFE_CREATE_TASK,
    LIFE_ATTACH, /* its process is there, and gets its interfaces and namespaces */
    LIFE_START,
    LIFE_RUNNING,
    LIFE_STOPPING, /* the stop signal was sent */
    LIFE_KILLING,
    LIFE_BACKOFF,
    LIFE_LONE_STOPPING, /* the same as stopping and killing, without containerd */
    LIFE_LONE_KILLING,
    LIFE_LONE_DOWN, /* its process is gone; containerd has yet to hear that it was to be */
    LIVES
};

enum life_event {
    LIFE_EV_START,
    LIFE_EV_STOP,
    LIFE_EV_OK,
    LIFE_EV_NOT_FOUND,
    LIFE_EV_ERROR,
    LIFE_EV_EXIT, /* the task has ended, or is found ended */
    LIFE_EV_TIMEOUT,
    LIFE_EV_UNFIT,   /* it runs, but it is not ready in time, or not well */
    LIFE_EV_GIVE_UP, /* its policy allows no more starts */
    LIFE_EV_LOST,    /* the connection to containerd */
    LIFE_EV_READY,   /* containerd answers (again) */
    LIFE_EVENTS
};

#define LIFE_STAY LIVES

/* LIFE_STAY: the event means nothing there. */
enum life life_next(enum life from, enum life_event ev);
const char *life_name(enum life l);

/* Milliseconds that a state may last before LIFE_EV_TIMEOUT; 0: for ever (or as the service's policy says). */
unsigned life_deadline_ms(enum life l);

/* Nothing of it runs, and nothing will be started unasked. */
static inline bool life_is_down(enum life l) {
    return l == LIFE_DOWN || l == LIFE_FAILED;
}

/* What is there of it in containerd, and how to be rid of it: nothing that it could fail in. */
static inline bool life_is_looking(enum life l) {
    return l >= LIFE_ADOPT && l <= LIFE_CLEAN_CONTAINER;
}

/* On its way from down to running. */
static inline bool life_is_starting(enum life l) {
    return l >= LIFE_ADOPT && l <= LIFE_START;
}

/* Its start itself: what there is of it is removed when that fails, or is given up. */
static inline bool life_is_being_made(enum life l) {
    return l >= LIFE_PREPARE && l <= LIFE_START;
}

/* How a life of the service went, as the decision needs it. */
struct life_record {
    bool wanted;       /* it should run */
    bool ended;        /* it ran, and its process is gone */
    bool failed;       /* something went wrong: a start, an exit status, its health */
    unsigned attempts; /* starts after failures in a row, this one not counted */
};

/* What LIFE_DECIDE decides: LIFE_EV_START, _STOP (it stays down), _ERROR (once more, after a pause), _GIVE_UP. */
enum life_event life_decide(const struct policy *p, const struct life_record *r);

/* The pause before the next start: p->delay_ms, doubling up to p->max_delay_ms; anew after p->reset_ms of life. */
uint64_t life_backoff_ms(const struct policy *p, uint64_t last_ms, uint64_t lived_ms);

#endif
