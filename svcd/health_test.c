/* SPDX-License-Identifier: Apache-2.0 */
#include "svcd/health.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib/auto.h"

enum { STAYS = -1 };

/* pass, fail, last pass, last fail */
static const int expected[HEALTHS][HEALTH_EVENTS] = {
    [HEALTH_NONE] = {STAYS, STAYS, STAYS, STAYS},
    [HEALTH_STARTING] = {HEALTH_READY, STAYS, HEALTH_READY, STAYS},
    [HEALTH_READY] = {HEALTH_HEALTHY, HEALTH_FAILING, HEALTH_HEALTHY, HEALTH_UNHEALTHY},
    [HEALTH_HEALTHY] = {STAYS, HEALTH_FAILING, STAYS, HEALTH_UNHEALTHY},
    [HEALTH_FAILING] = {HEALTH_HEALTHY, STAYS, HEALTH_HEALTHY, HEALTH_UNHEALTHY},
    [HEALTH_UNHEALTHY] = {HEALTH_RECOVERING, STAYS, HEALTH_HEALTHY, STAYS},
    [HEALTH_RECOVERING] = {STAYS, HEALTH_UNHEALTHY, HEALTH_HEALTHY, HEALTH_UNHEALTHY},
};

static void every_state_with_every_event(void **state) {
    (void)state;
    for (int h = 0; h < HEALTHS; h++)
        for (int ev = 0; ev < HEALTH_EVENTS; ev++) {
            int to = (int)health_next((enum health)h, (enum health_event)ev);
            if (to != (expected[h][ev] == STAYS ? h : expected[h][ev]))
                fail_msg("%s, event %d: goes to %d", health_name((enum health)h), ev, to);
        }
}

/* 'x' a failure, '.' a success; what it is called behind each. */
static void follow(struct health_state *h, const struct policy *p, const char *results, const enum health *behind) {
    for (size_t i = 0; results[i]; i++) {
        enum health before = h->now;
        bool changed = health_result(h, p, results[i] == '.');
        if (h->now != behind[i] || changed != (before != h->now))
            fail_msg("result %zu of %s: %s", i, results, health_name(h->now));
    }
}

static void it_takes_several_failures_and_several_successes(void **state) {
    struct policy p;
    struct health_state h = {.now = HEALTH_READY};
    (void)state;
    policy_init(&p);
    p.health.kind = PROBE_TCP;
    follow(&h, &p, "..xx.xxx..x...x",
           (const enum health[]){HEALTH_HEALTHY, HEALTH_HEALTHY, HEALTH_FAILING, HEALTH_FAILING, HEALTH_HEALTHY,
                                 HEALTH_FAILING, HEALTH_FAILING, HEALTH_UNHEALTHY, HEALTH_RECOVERING, HEALTH_RECOVERING,
                                 HEALTH_UNHEALTHY, HEALTH_RECOVERING, HEALTH_RECOVERING, HEALTH_HEALTHY,
                                 HEALTH_FAILING});
}

static void with_one_failure_there_is_nothing_between(void **state) {
    struct policy p;
    struct health_state h = {.now = HEALTH_READY};
    (void)state;
    policy_init(&p);
    p.health = (struct probe_policy){.kind = PROBE_TCP, .failures = 1};
    follow(&h, &p, "x.x", (const enum health[]){HEALTH_UNHEALTHY, HEALTH_HEALTHY, HEALTH_UNHEALTHY});
}

/* What was not ready many times is not unhealthy at the first failure behind it. */
static void becoming_ready_begins_a_new_row(void **state) {
    struct policy p;
    struct health_state h = {.now = HEALTH_STARTING};
    (void)state;
    policy_init(&p);
    p.ready.kind = PROBE_FILE;
    p.health.kind = PROBE_TCP;
    follow(&h, &p, "xxxxx.xx",
           (const enum health[]){HEALTH_STARTING, HEALTH_STARTING, HEALTH_STARTING, HEALTH_STARTING, HEALTH_STARTING,
                                 HEALTH_READY, HEALTH_FAILING, HEALTH_FAILING});
}

static void what_is_asked_and_when(void **state) {
    struct policy p;
    (void)state;
    policy_init(&p);
    assert_int_equal(health_first(&p, false), HEALTH_NONE);
    assert_null(health_probe(HEALTH_NONE, &p));
    p.ready.kind = PROBE_FILE;
    assert_int_equal(health_first(&p, false), HEALTH_STARTING);
    assert_int_equal(health_first(&p, true), HEALTH_READY);
    assert_ptr_equal(health_probe(HEALTH_STARTING, &p), &p.ready);
    assert_null(health_probe(HEALTH_READY, &p));
    p.health.kind = PROBE_TCP;
    assert_ptr_equal(health_probe(HEALTH_READY, &p), &p.health);
    for (int h = 0; h < HEALTHS; h++)
        assert_int_equal(health_is_ready((enum health)h), h != HEALTH_STARTING);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_state_with_every_event),
        cmocka_unit_test(it_takes_several_failures_and_several_successes),
        cmocka_unit_test(with_one_failure_there_is_nothing_between),
        cmocka_unit_test(becoming_ready_begins_a_new_row),
        cmocka_unit_test(what_is_asked_and_when),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
