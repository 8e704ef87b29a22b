/* SPDX-License-Identifier: Apache-2.0 */
/* The table, state by state, and what the policies decide. */
#include "svcd/lifecycle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/auto.h"

/* In the order of enum life_event: start stop ok not-found error exit timeout unfit give-up lost ready. -1: stays. */
static const int expected[LIVES][LIFE_EVENTS] = {
    [LIFE_DOWN] = {LIFE_ADOPT, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1},
    [LIFE_FAILED] = {LIFE_ADOPT, LIFE_DOWN, -1, -1, -1, -1, -1, -1, -1, -1, -1},
    [LIFE_DETACHED] = {-1, LIFE_LONE_STOPPING, -1, -1, -1, -1, -1, -1, -1, -1, LIFE_ADOPT},
    [LIFE_ADOPT] = {-1, -1, LIFE_RUNNING, LIFE_CLEAN_CONTAINER, LIFE_BACKOFF, LIFE_CLEAN_KILL, -1, -1, -1,
                    LIFE_DETACHED, -1},
    [LIFE_CLEAN_KILL] = {-1, -1, LIFE_CLEAN_TASK, LIFE_CLEAN_TASK, LIFE_CLEAN_TASK, -1, -1, -1, -1, LIFE_DETACHED, -1},
    [LIFE_CLEAN_TASK] = {-1, -1, LIFE_CLEAN_CONTAINER, LIFE_CLEAN_CONTAINER, LIFE_BACKOFF, -1, -1, -1, -1,
                         LIFE_DETACHED, -1},
    [LIFE_CLEAN_CONTAINER] = {-1, -1, LIFE_DECIDE, LIFE_DECIDE, LIFE_BACKOFF, -1, -1, -1, -1, LIFE_DETACHED, -1},
    [LIFE_DECIDE] = {LIFE_PREPARE, LIFE_DOWN, -1, -1, LIFE_BACKOFF, -1, -1, -1, LIFE_FAILED, -1, -1},
    [LIFE_PREPARE] = {-1, -1, LIFE_CREATE, -1, LIFE_DECIDE, -1, -1, -1, -1, -1, -1},
    [LIFE_CREATE] = {-1, -1, LIFE_CREATE_TASK, -1, LIFE_CLEAN_CONTAINER, -1, -1, -1, -1, LIFE_DETACHED, -1},
    [LIFE_CREATE_TASK] = {-1, -1, LIFE_ATTACH, LIFE_CLEAN_KILL, LIFE_CLEAN_KILL, -1, -1, -1, -1, LIFE_DETACHED, -1},
    [LIFE_ATTACH] = {-1, -1, LIFE_START, -1, LIFE_CLEAN_KILL, -1, -1, -1, -1, LIFE_DETACHED, -1},
    [LIFE_START] = {-1, -1, LIFE_RUNNING, LIFE_CLEAN_KILL, LIFE_CLEAN_KILL, -1, -1, -1, -1, LIFE_DETACHED, -1},
    [LIFE_RUNNING] = {-1, LIFE_STOPPING, -1, LIFE_ADOPT, LIFE_ADOPT, LIFE_CLEAN_TASK, -1, LIFE_STOPPING, -1,
                      LIFE_DETACHED, -1},
    [LIFE_STOPPING] = {-1, -1, -1, LIFE_CLEAN_TASK, -1, LIFE_CLEAN_TASK, LIFE_KILLING, -1, -1, LIFE_LONE_STOPPING, -1},
    [LIFE_KILLING] = {-1, -1, -1, LIFE_CLEAN_TASK, -1, LIFE_CLEAN_TASK, LIFE_CLEAN_TASK, -1, -1, LIFE_LONE_KILLING, -1},
    [LIFE_BACKOFF] = {LIFE_ADOPT, LIFE_ADOPT, -1, LIFE_DECIDE, -1, -1, LIFE_ADOPT, -1, -1, LIFE_DETACHED, -1},
    [LIFE_LONE_STOPPING] = {-1, -1, -1, -1, -1, LIFE_LONE_DOWN, LIFE_LONE_KILLING, -1, -1, -1, LIFE_ADOPT},
    [LIFE_LONE_KILLING] = {-1, -1, -1, -1, -1, LIFE_LONE_DOWN, -1, -1, -1, -1, LIFE_ADOPT},
    [LIFE_LONE_DOWN] = {-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, LIFE_ADOPT},
};

static void every_state_with_every_event(void **state) {
    (void)state;
    for (int l = 0; l < LIVES; l++)
        for (int ev = 0; ev < LIFE_EVENTS; ev++) {
            int to = (int)life_next((enum life)l, (enum life_event)ev);
            if (to != (expected[l][ev] < 0 ? (int)LIFE_STAY : expected[l][ev]))
                fail_msg("%s, event %d: goes to %d", life_name((enum life)l), ev, to);
        }
}

static void a_kill_has_a_deadline(void **state) {
    (void)state;
    assert_true(life_deadline_ms(LIFE_KILLING) > 0);
}

static void the_pause_doubles_up_to_its_bound_and_starts_anew(void **state) {
    struct policy p;
    (void)state;
    policy_init(&p);
    uint64_t ms = life_backoff_ms(&p, 0, 0);
    assert_int_equal(ms, 250);
    assert_int_equal(life_backoff_ms(&p, ms, 10), 500);
    for (int i = 0; i < 20; i++)
        ms = life_backoff_ms(&p, ms, 10);
    assert_int_equal(ms, 30000);
    assert_int_equal(life_backoff_ms(&p, ms, 60000), 250);
    p.delay_ms = 4000;
    p.max_delay_ms = 5000;
    p.reset_ms = 100;
    assert_int_equal(life_backoff_ms(&p, 0, 0), 4000);
    assert_int_equal(life_backoff_ms(&p, 4000, 99), 5000);
    assert_int_equal(life_backoff_ms(&p, 5000, 100), 4000);
}

/* What the policies say to each way that a life can have gone. */
static void every_policy_decides(void **state) {
    static const struct {
        struct life_record r;
        unsigned limit;
        enum life_event on_failure, always, never;
    } rows[] = {
        {{.wanted = false}, 0, LIFE_EV_STOP, LIFE_EV_STOP, LIFE_EV_STOP},
        {{.wanted = false, .ended = true, .failed = true}, 0, LIFE_EV_STOP, LIFE_EV_STOP, LIFE_EV_STOP},
        {{.wanted = true}, 0, LIFE_EV_START, LIFE_EV_START, LIFE_EV_START},
        {{.wanted = true, .ended = true}, 0, LIFE_EV_STOP, LIFE_EV_ERROR, LIFE_EV_STOP},
        {{.wanted = true, .ended = true, .failed = true}, 0, LIFE_EV_ERROR, LIFE_EV_ERROR, LIFE_EV_GIVE_UP},
        {{.wanted = true, .failed = true}, 0, LIFE_EV_ERROR, LIFE_EV_ERROR, LIFE_EV_GIVE_UP},
        {{.wanted = true, .failed = true, .attempts = 99999}, 0, LIFE_EV_ERROR, LIFE_EV_ERROR, LIFE_EV_GIVE_UP},
        {{.wanted = true, .failed = true, .attempts = 2}, 3, LIFE_EV_ERROR, LIFE_EV_ERROR, LIFE_EV_GIVE_UP},
        {{.wanted = true, .failed = true, .attempts = 3}, 3, LIFE_EV_GIVE_UP, LIFE_EV_GIVE_UP, LIFE_EV_GIVE_UP},
        {{.wanted = true, .ended = true, .attempts = 3}, 3, LIFE_EV_STOP, LIFE_EV_GIVE_UP, LIFE_EV_STOP},
        {{.wanted = false, .failed = true, .attempts = 3}, 3, LIFE_EV_STOP, LIFE_EV_STOP, LIFE_EV_STOP},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct policy p;
        policy_init(&p);
        p.limit = rows[i].limit;
        assert_int_equal(life_decide(&p, &rows[i].r), rows[i].on_failure);
        p.restart = RESTART_ALWAYS;
        assert_int_equal(life_decide(&p, &rows[i].r), rows[i].always);
        p.restart = RESTART_NEVER;
        assert_int_equal(life_decide(&p, &rows[i].r), rows[i].never);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_state_with_every_event),
        cmocka_unit_test(a_kill_has_a_deadline),
        cmocka_unit_test(the_pause_doubles_up_to_its_bound_and_starts_anew),
        cmocka_unit_test(every_policy_decides),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
