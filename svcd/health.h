/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Is a running service ready, and well? A table, state x result of a probe -> state. With hysteresis: it takes as many
 * failures in a row as its policy says to call it unhealthy, and as many successes to call it healthy again. Who
 * probes, and when, is service.c's business.
 */
#ifndef SVCD_HEALTH_H
#define SVCD_HEALTH_H

#include <stdbool.h>

#include "runtime-config/policy.h"

enum health {
    HEALTH_NONE,     /* it does not run, or nothing is asked of it */
    HEALTH_STARTING, /* not ready yet */
    HEALTH_READY,    /* its health was not looked at yet, or need not be */
    HEALTH_HEALTHY,
    HEALTH_FAILING,   /* some failures */
    HEALTH_UNHEALTHY, /* too many */
    HEALTH_RECOVERING,
    HEALTHS
};

enum health_event { HEALTH_EV_PASS, HEALTH_EV_FAIL, HEALTH_EV_LAST_PASS, HEALTH_EV_LAST_FAIL, HEALTH_EVENTS };

struct health_state {
    enum health now;
    unsigned row; /* equal results in a row */
    bool last_ok;
};

/* Where the event leads; the same state if nowhere. */
enum health health_next(enum health from, enum health_event ev);
const char *health_name(enum health h);

/* A service has begun to run; adopted: it ran already when it was found, and nobody knows since when. */
enum health health_first(const struct policy *p, bool adopted);

/* A probe's result; true if the state is another one now. */
bool health_result(struct health_state *h, const struct policy *p, bool ok);

/* What is to be probed in this state; NULL: nothing. */
const struct probe_policy *health_probe(enum health h, const struct policy *p);

/* Others may start behind it. */
static inline bool health_is_ready(enum health h) {
    return h != HEALTH_STARTING;
}

#endif
