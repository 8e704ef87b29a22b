/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The life of a service as a table: state x event -> state. What a state does when it is entered, and what is wanted of
 * the service, are the business of service.c; tests put a fake system there.
 */
#ifndef SVCD_LIFECYCLE_H
#define SVCD_LIFECYCLE_H

enum life {
    LIFE_DOWN,            /* nothing of it is in containerd, nothing is to be */
    LIFE_DETACHED,        /* containerd is not there; what becomes of it is seen when it is back */
    LIFE_ADOPT,           /* asks whether a task of that name exists */
    LIFE_CLEAN_KILL,      /* removes what an earlier run left: kill, */
    LIFE_CLEAN_TASK,      /* delete the task, */
    LIFE_CLEAN_CONTAINER, /* delete the container */
    LIFE_DECIDE,          /* start, back off or stay down */
    LIFE_PREPARE,         /* mounts and log files */
    LIFE_CREATE,
    LIFE_CREATE_TASK,
    LIFE_START,
    LIFE_RUNNING,
    LIFE_STOPPING, /* the stop signal was sent */
    LIFE_KILLING,
    LIFE_BACKOFF,
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
    LIFE_EV_LOST,  /* the connection to containerd */
    LIFE_EV_READY, /* containerd answers (again) */
    LIFE_EVENTS
};

#define LIFE_STAY LIVES

/* LIFE_STAY: the event means nothing there. */
enum life life_next(enum life from, enum life_event ev);
const char *life_name(enum life l);

/* Milliseconds that a state may last before LIFE_EV_TIMEOUT; 0: for ever (or its own timer). */
unsigned life_deadline_ms(enum life l);

/* Pause before the next start: 250 ms, doubling up to 30 s; starts anew after a minute of life. */
unsigned life_backoff_ms(unsigned last_ms, unsigned long long lived_ms);

#endif
