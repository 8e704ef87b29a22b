/* SPDX-License-Identifier: Apache-2.0 */
#include "svcd/health.h"

static const char *const names[HEALTHS] = {
    [HEALTH_NONE] = "-",
    [HEALTH_STARTING] = "starting",
    [HEALTH_READY] = "ready",
    [HEALTH_HEALTHY] = "healthy",
    [HEALTH_FAILING] = "failing",
    [HEALTH_UNHEALTHY] = "unhealthy",
    [HEALTH_RECOVERING] = "recovering",
};

/* 0, which is HEALTH_NONE and nobody's aim, means "stay". */
static const unsigned char table[HEALTHS][HEALTH_EVENTS] = {
    [HEALTH_STARTING] = {[HEALTH_EV_PASS] = HEALTH_READY, [HEALTH_EV_LAST_PASS] = HEALTH_READY},
    [HEALTH_READY] = {[HEALTH_EV_PASS] = HEALTH_HEALTHY,
                      [HEALTH_EV_LAST_PASS] = HEALTH_HEALTHY,
                      [HEALTH_EV_FAIL] = HEALTH_FAILING,
                      [HEALTH_EV_LAST_FAIL] = HEALTH_UNHEALTHY},
    [HEALTH_HEALTHY] = {[HEALTH_EV_FAIL] = HEALTH_FAILING, [HEALTH_EV_LAST_FAIL] = HEALTH_UNHEALTHY},
    [HEALTH_FAILING] = {[HEALTH_EV_PASS] = HEALTH_HEALTHY,
                        [HEALTH_EV_LAST_PASS] = HEALTH_HEALTHY,
                        [HEALTH_EV_LAST_FAIL] = HEALTH_UNHEALTHY},
    [HEALTH_UNHEALTHY] = {[HEALTH_EV_PASS] = HEALTH_RECOVERING, [HEALTH_EV_LAST_PASS] = HEALTH_HEALTHY},
    [HEALTH_RECOVERING] = {[HEALTH_EV_LAST_PASS] = HEALTH_HEALTHY,
                           [HEALTH_EV_FAIL] = HEALTH_UNHEALTHY,
                           [HEALTH_EV_LAST_FAIL] = HEALTH_UNHEALTHY},
};

enum health health_next(enum health from, enum health_event ev) {
    unsigned to = table[from][ev];

    return to ? (enum health)to : from;
}

const char *health_name(enum health h) {
    return names[h];
}

enum health health_first(const struct policy *p, bool adopted) {
    if (p->ready.kind != PROBE_NONE)
        return adopted ? HEALTH_READY : HEALTH_STARTING;
    return p->health.kind != PROBE_NONE ? HEALTH_READY : HEALTH_NONE;
}

bool health_result(struct health_state *h, const struct policy *p, bool ok) {
    enum health before = h->now;

    h->row = h->row > 0 && h->last_ok == ok ? h->row + 1 : 1;
    h->last_ok = ok;
    bool last = h->row >= p->health.failures;
    h->now = health_next(before, ok ? (last ? HEALTH_EV_LAST_PASS : HEALTH_EV_PASS)
                                    : (last ? HEALTH_EV_LAST_FAIL : HEALTH_EV_FAIL));
    if (before == HEALTH_STARTING && h->now != before)
        h->row = 0; /* what was asked of it was another question */
    return h->now != before;
}

const struct probe_policy *health_probe(enum health h, const struct policy *p) {
    if (h == HEALTH_STARTING)
        return &p->ready;
    return h != HEALTH_NONE && p->health.kind != PROBE_NONE ? &p->health : NULL;
}
