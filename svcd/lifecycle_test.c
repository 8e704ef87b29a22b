/* SPDX-License-Identifier: Apache-2.0 */
/* The table, state by state, and the service that walks it against a fake containerd. */
#include "svcd/lifecycle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib/auto.h"
#include "lib/log.h"
#include "svcd/service.h"

/* In the order of enum life_event: start stop ok not-found error exit timeout lost ready. -1: stays. */
static const int expected[LIVES][LIFE_EVENTS] = {
    [LIFE_DOWN] = {LIFE_ADOPT, -1, -1, -1, -1, -1, -1, -1, -1},
    [LIFE_DETACHED] = {-1, -1, -1, -1, -1, -1, -1, -1, LIFE_ADOPT},
    [LIFE_ADOPT] = {-1, -1, LIFE_RUNNING, LIFE_CLEAN_CONTAINER, LIFE_BACKOFF, LIFE_CLEAN_KILL, -1, LIFE_DETACHED, -1},
    [LIFE_CLEAN_KILL] = {-1, -1, LIFE_CLEAN_TASK, LIFE_CLEAN_TASK, LIFE_CLEAN_TASK, -1, -1, LIFE_DETACHED, -1},
    [LIFE_CLEAN_TASK] = {-1, -1, LIFE_CLEAN_CONTAINER, LIFE_CLEAN_CONTAINER, LIFE_BACKOFF, -1, -1, LIFE_DETACHED, -1},
    [LIFE_CLEAN_CONTAINER] = {-1, -1, LIFE_DECIDE, LIFE_DECIDE, LIFE_BACKOFF, -1, -1, LIFE_DETACHED, -1},
    [LIFE_DECIDE] = {LIFE_PREPARE, LIFE_DOWN, -1, -1, LIFE_BACKOFF, -1, -1, -1, -1},
    [LIFE_PREPARE] = {-1, -1, LIFE_CREATE, -1, LIFE_DECIDE, -1, -1, -1, -1},
    [LIFE_CREATE] = {-1, -1, LIFE_CREATE_TASK, -1, LIFE_CLEAN_CONTAINER, -1, -1, LIFE_DETACHED, -1},
    [LIFE_CREATE_TASK] = {-1, -1, LIFE_START, LIFE_CLEAN_TASK, LIFE_CLEAN_TASK, -1, -1, LIFE_DETACHED, -1},
    [LIFE_START] = {-1, -1, LIFE_RUNNING, LIFE_CLEAN_KILL, LIFE_CLEAN_KILL, -1, -1, LIFE_DETACHED, -1},
    [LIFE_RUNNING] = {-1, LIFE_STOPPING, -1, LIFE_ADOPT, LIFE_ADOPT, LIFE_CLEAN_TASK, -1, LIFE_DETACHED, -1},
    [LIFE_STOPPING] = {-1, -1, -1, LIFE_CLEAN_TASK, -1, LIFE_CLEAN_TASK, LIFE_KILLING, LIFE_DETACHED, -1},
    [LIFE_KILLING] = {-1, -1, -1, LIFE_CLEAN_TASK, -1, LIFE_CLEAN_TASK, LIFE_CLEAN_TASK, LIFE_DETACHED, -1},
    [LIFE_BACKOFF] = {LIFE_ADOPT, LIFE_DOWN, -1, -1, -1, -1, LIFE_ADOPT, LIFE_DETACHED, -1},
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

static void a_stop_always_has_a_deadline(void **state) {
    (void)state;
    assert_true(life_deadline_ms(LIFE_STOPPING) > 0);
    assert_true(life_deadline_ms(LIFE_KILLING) > 0);
}

static void the_pause_doubles_up_to_its_bound_and_starts_anew(void **state) {
    unsigned ms = life_backoff_ms(0, 0);
    (void)state;
    assert_int_equal(ms, 250);
    assert_int_equal(life_backoff_ms(ms, 10), 500);
    for (int i = 0; i < 20; i++)
        ms = life_backoff_ms(ms, 10);
    assert_int_equal(ms, 30000);
    assert_int_equal(life_backoff_ms(ms, 60000), 250);
}

/* --- a service against a fake --- */

static char entered[256];
static int changes;

static void fake_enter(struct service *s, enum life l) {
    static const char letters[] = "D-AktcdPCTSRsKB";
    size_t len = strlen(entered);
    (void)s;
    if (len + 1 < sizeof(entered)) {
        entered[len] = letters[l];
        entered[len + 1] = '\0';
    }
    if (l == LIFE_PREPARE)
        service_event(s, LIFE_EV_OK);
}

static bool seen_down; /* somebody was told that it is down */

static void changed(struct service *s, void *data) {
    (void)data;
    changes++;
    seen_down |= s->life == LIFE_DOWN;
}

static const struct service_ops fake = {fake_enter};
static struct loop loop;
static struct grpc *connection;
static struct service s;

static int setup(void **state) {
    struct err e = {0};
    (void)state;
    log_set_fd(-1);
    entered[0] = '\0';
    seen_down = false;
    if (loop_init(&loop) < 0 ||
        service_init(&s, "/containers/services", "www", &loop, &connection, changed, NULL, &e) < 0)
        return -1;
    s.ops = &fake;
    return 0;
}

static int teardown(void **state) {
    (void)state;
    service_fini(&s);
    loop_fini(&loop);
    log_set_fd(2);
    return 0;
}

static void run_until_running(void) {
    service_start(&s);                    /* A */
    service_event(&s, LIFE_EV_NOT_FOUND); /* c */
    service_event(&s, LIFE_EV_NOT_FOUND); /* decides: P, C */
    service_event(&s, LIFE_EV_OK);        /* T */
    service_event(&s, LIFE_EV_OK);        /* S */
    service_event(&s, LIFE_EV_OK);        /* R */
    assert_int_equal(s.life, LIFE_RUNNING);
}

static void a_start_looks_cleans_and_starts(void **state) {
    (void)state;
    run_until_running();
    assert_string_equal(entered, "AcPCTSR");
    assert_true(s.settled);
}

static void a_running_task_is_adopted_as_it_is(void **state) {
    (void)state;
    service_start(&s);
    service_event(&s, LIFE_EV_OK);
    assert_string_equal(entered, "AR");
}

static void a_crash_is_followed_by_a_pause_and_a_start(void **state) {
    (void)state;
    run_until_running();
    service_exited(&s, 1);
    service_event(&s, LIFE_EV_OK);
    service_event(&s, LIFE_EV_OK);
    assert_int_equal(s.life, LIFE_BACKOFF);
    assert_true(loop_has(&s.timer));
    service_event(&s, LIFE_EV_TIMEOUT);
    assert_int_equal(s.life, LIFE_ADOPT);
    assert_int_equal(s.restarts, 1);
    service_event(&s, LIFE_EV_NOT_FOUND);
    service_event(&s, LIFE_EV_OK);
    assert_int_equal(s.life, LIFE_CREATE);
}

static void an_exit_with_0_is_the_end(void **state) {
    (void)state;
    run_until_running();
    service_exited(&s, 0);
    service_event(&s, LIFE_EV_OK);
    service_event(&s, LIFE_EV_OK);
    assert_int_equal(s.life, LIFE_DOWN);
    service_start(&s); /* and it can be started again */
    assert_int_equal(s.life, LIFE_ADOPT);
}

static void a_stop_signals_then_kills_and_stays_down(void **state) {
    (void)state;
    run_until_running();
    service_stop(&s);
    assert_int_equal(s.life, LIFE_STOPPING);
    service_event(&s, LIFE_EV_TIMEOUT);
    assert_int_equal(s.life, LIFE_KILLING);
    service_exited(&s, 137);
    service_event(&s, LIFE_EV_OK);
    service_event(&s, LIFE_EV_OK);
    assert_int_equal(s.life, LIFE_DOWN);
    assert_false(s.failed);
}

static void a_stop_during_the_start_is_kept(void **state) {
    (void)state;
    service_start(&s);
    service_event(&s, LIFE_EV_NOT_FOUND);
    service_event(&s, LIFE_EV_NOT_FOUND);
    service_stop(&s);
    service_event(&s, LIFE_EV_OK);
    service_event(&s, LIFE_EV_OK);
    service_event(&s, LIFE_EV_OK);
    assert_int_equal(s.life, LIFE_STOPPING);
}

static void a_restart_goes_down_and_up(void **state) {
    (void)state;
    run_until_running();
    service_restart(&s);
    service_exited(&s, 143);
    service_event(&s, LIFE_EV_OK);
    service_event(&s, LIFE_EV_OK);
    assert_int_equal(s.life, LIFE_ADOPT);
    assert_true(s.wanted);
    assert_false(seen_down); /* who waits for the restart must not take the way for its end */
}

static void a_start_behind_a_stop_waits_for_its_end(void **state) {
    (void)state;
    run_until_running();
    service_stop(&s);
    service_start(&s);
    assert_int_equal(s.life, LIFE_STOPPING);
    service_exited(&s, 143);
    assert_false(s.failed); /* the stop asked for it */
    service_start(&s);      /* once more: while what is left is removed */
    service_event(&s, LIFE_EV_OK);
    service_event(&s, LIFE_EV_OK);
    assert_int_equal(s.life, LIFE_ADOPT);
    assert_true(s.wanted);
    assert_false(s.restart);
    assert_int_equal(s.restarts, 0);
}

static void a_stop_behind_a_restart_is_the_last_word(void **state) {
    (void)state;
    run_until_running();
    service_restart(&s);
    service_stop(&s);
    service_exited(&s, 143);
    service_event(&s, LIFE_EV_OK);
    service_event(&s, LIFE_EV_OK);
    assert_int_equal(s.life, LIFE_DOWN);
}

static void a_restart_of_a_crashed_one_starts_it_at_once(void **state) {
    (void)state;
    run_until_running();
    service_exited(&s, 1);
    service_event(&s, LIFE_EV_OK);
    service_event(&s, LIFE_EV_OK);
    assert_int_equal(s.life, LIFE_BACKOFF);
    service_restart(&s);
    assert_int_equal(s.life, LIFE_ADOPT);
    assert_false(s.failed);
    assert_false(seen_down);
}

static void what_is_stopped_while_it_starts_is_waited_for(void **state) {
    (void)state;
    service_start(&s);
    service_stop(&s);
    service_event(&s, LIFE_EV_OK); /* a task of it runs */
    assert_int_equal(s.life, LIFE_STOPPING);
    assert_string_equal(entered, "ARs");
}

static void a_task_that_cannot_be_removed_is_not_called_stopped(void **state) {
    (void)state;
    run_until_running();
    service_stop(&s);
    service_event(&s, LIFE_EV_TIMEOUT);
    service_event(&s, LIFE_EV_TIMEOUT); /* even SIGKILL did not end it */
    service_fail(&s, "remove it", "the task is running");
    assert_int_equal(s.life, LIFE_BACKOFF);
    service_event(&s, LIFE_EV_TIMEOUT);
    assert_int_equal(s.life, LIFE_ADOPT);
    assert_false(s.wanted);
}

static void a_failed_start_is_settled_and_tried_again(void **state) {
    (void)state;
    service_start(&s);
    service_event(&s, LIFE_EV_NOT_FOUND);
    service_event(&s, LIFE_EV_OK);
    service_event(&s, LIFE_EV_OK);
    service_fail(&s, "create its task", "no such command");
    assert_int_equal(s.life, LIFE_CLEAN_TASK);
    service_event(&s, LIFE_EV_NOT_FOUND);
    service_event(&s, LIFE_EV_OK);
    assert_int_equal(s.life, LIFE_BACKOFF);
    assert_true(s.settled);
    assert_string_equal(s.error, "could not create its task: no such command");
}

/* A long life before must not make the pauses short for ever when it cannot be started any more. */
static void the_pause_grows_when_a_settled_one_does_not_start_any_more(void **state) {
    static const unsigned pauses[] = {500, 1000, 2000};
    (void)state;
    run_until_running();
    s.started_ms = clock_ms() - 70000;
    service_exited(&s, 1);
    service_event(&s, LIFE_EV_OK);
    service_event(&s, LIFE_EV_OK);
    assert_int_equal(s.life, LIFE_BACKOFF);
    assert_int_equal(s.backoff_ms, 250);
    for (size_t i = 0; i < ARRAY_SIZE(pauses); i++) {
        service_event(&s, LIFE_EV_TIMEOUT);
        service_event(&s, LIFE_EV_NOT_FOUND);
        service_event(&s, LIFE_EV_NOT_FOUND);
        service_fail(&s, "create its container", "no");
        service_event(&s, LIFE_EV_NOT_FOUND);
        assert_int_equal(s.life, LIFE_BACKOFF);
        assert_int_equal(s.backoff_ms, pauses[i]);
    }
}

static void a_lost_containerd_changes_nothing_for_a_running_one(void **state) {
    (void)state;
    run_until_running();
    service_event(&s, LIFE_EV_LOST);
    assert_int_equal(s.life, LIFE_DETACHED);
    service_event(&s, LIFE_EV_READY);
    service_event(&s, LIFE_EV_OK);
    assert_int_equal(s.life, LIFE_RUNNING);
    assert_int_equal(s.restarts, 0);
}

static void bad_names_are_refused(void **state) {
    struct service bad;
    (void)state;
    for (const char *const *name = (const char *const[]){"", ".", "..", "a/b", NULL}; *name; name++) {
        struct err e = {0};
        assert_true(service_init(&bad, "/x", *name, &loop, &connection, changed, NULL, &e) < 0);
        service_fini(&bad);
    }
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_state_with_every_event),
        cmocka_unit_test(a_stop_always_has_a_deadline),
        cmocka_unit_test(the_pause_doubles_up_to_its_bound_and_starts_anew),
        T(a_start_looks_cleans_and_starts),
        T(a_running_task_is_adopted_as_it_is),
        T(a_crash_is_followed_by_a_pause_and_a_start),
        T(an_exit_with_0_is_the_end),
        T(a_stop_signals_then_kills_and_stays_down),
        T(a_stop_during_the_start_is_kept),
        T(a_restart_goes_down_and_up),
        T(a_start_behind_a_stop_waits_for_its_end),
        T(a_stop_behind_a_restart_is_the_last_word),
        T(a_restart_of_a_crashed_one_starts_it_at_once),
        T(what_is_stopped_while_it_starts_is_waited_for),
        T(a_task_that_cannot_be_removed_is_not_called_stopped),
        T(a_failed_start_is_settled_and_tried_again),
        T(the_pause_grows_when_a_settled_one_does_not_start_any_more),
        T(a_lost_containerd_changes_nothing_for_a_running_one),
        T(bad_names_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
