/* SPDX-License-Identifier: Apache-2.0 */
/* For the tests of service.c: a service that walks its table against a fake containerd, and a clock that is set by
 * hand. */
#ifndef SVCD_SERVICE_TEST_H
#define SVCD_SERVICE_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib/auto.h"
#include "lib/log.h"
#include "svcd/service.h"

static char entered[256];
static int changes;

static inline void fake_enter(struct service *s, enum life l) {
    static const char letters[] = "DF-AktcdPCTNSRsKBlko";
    size_t len = strlen(entered);
    (void)s;
    if (len + 1 < sizeof(entered)) {
        entered[len] = letters[l];
        entered[len + 1] = '\0';
    }
    if (l == LIFE_PREPARE || l == LIFE_ATTACH)
        service_event(s, LIFE_EV_OK);
}

/* A clock that is set by hand, and timers that go off when it is. */
static uint64_t now;
static uint64_t due[TIMERS];
static unsigned probes, probes_stopped;
static const struct probe_policy *probed;

static inline uint64_t fake_now(void) {
    return now;
}

static inline void fake_timer(struct service *s, enum service_timer t, uint64_t ms) {
    (void)s;
    due[t] = ms ? now + ms : 0;
}

static inline void fake_probe(struct service *s, const struct probe_policy *p, uint64_t timeout_ms) {
    (void)s;
    (void)timeout_ms;
    probes++;
    probed = p;
}

static inline void fake_stop_probe(struct service *s) {
    (void)s;
    probes_stopped++;
}

/* Lets ms pass. */
static inline void pass(struct service *s, uint64_t ms) {
    uint64_t end = now + ms;

    for (;;) {
        int first = -1;
        for (int t = 0; t < TIMERS; t++)
            if (due[t] && due[t] <= end && (first < 0 || due[t] < due[first]))
                first = t;
        if (first < 0)
            break;
        now = due[first];
        due[first] = 0;
        service_timeout(s, (enum service_timer)first);
    }
    now = end;
}

static bool seen_down; /* somebody was told that it is down */

static inline void changed(struct service *s, void *data) {
    (void)data;
    changes++;
    seen_down |= life_is_down(s->life) && !s->queued;
}

static const struct service_ops fake = {fake_enter, fake_probe, fake_stop_probe, fake_now, fake_timer};
static struct loop loop;
static struct grpc *connection;
static struct service s;

static inline int setup(void **state) {
    struct err e = {0};
    (void)state;
    log_set_fd(-1);
    entered[0] = '\0';
    seen_down = false;
    now = 1000;
    memset(due, 0, sizeof(due));
    probes = probes_stopped = 0;
    if (loop_init(&loop) < 0 ||
        service_init(&s, "/containers/services", "www", &loop, &connection, changed, NULL, &e) < 0)
        return -1;
    s.ops = &fake;
    return 0;
}

static inline int teardown(void **state) {
    (void)state;
    service_fini(&s);
    loop_fini(&loop);
    log_set_fd(2);
    return 0;
}

/* containerd has nothing of it, and makes what it is asked for. */
static inline void run_on(void) {
    assert_int_equal(s.life, LIFE_ADOPT);
    service_event(&s, LIFE_EV_NOT_FOUND); /* c */
    service_event(&s, LIFE_EV_NOT_FOUND); /* decides: P, C */
    service_event(&s, LIFE_EV_OK);        /* T */
    service_event(&s, LIFE_EV_OK);        /* N, S */
    service_event(&s, LIFE_EV_OK);        /* R */
    assert_int_equal(s.life, LIFE_RUNNING);
}

static inline void run_until_running(void) {
    service_start(&s); /* A */
    run_on();
}

/* It ends, and what is left of it is removed. */
static inline void exits(uint32_t status) {
    service_exited(&s, status, false);
    service_event(&s, LIFE_EV_OK);
    service_event(&s, LIFE_EV_OK);
}

static inline void starts_again(void) {
    assert_int_equal(s.life, LIFE_BACKOFF);
    pass(&s, s.backoff_ms);
    run_on();
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
