/* SPDX-License-Identifier: Apache-2.0 */
/* A service's life and its policy. */
#include "svcd/service_test.h"

#include <errno.h>

static void a_start_looks_cleans_and_starts(void **state) {
    (void)state;
    run_until_running();
    assert_string_equal(entered, "AcPCTNSR");
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
    exits(1);
    assert_int_equal(s.life, LIFE_BACKOFF);
    assert_int_equal(due[TIMER_LIFE], now + 250);
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
    exits(0);
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
    exits(137);
    assert_int_equal(s.life, LIFE_DOWN);
    assert_false(s.record.failed);
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
    exits(143);
    assert_int_equal(s.life, LIFE_ADOPT);
    assert_true(s.record.wanted);
    assert_false(seen_down); /* who waits for the restart must not take the way for its end */
}

static void a_start_behind_a_stop_waits_for_its_end(void **state) {
    (void)state;
    run_until_running();
    service_stop(&s);
    service_start(&s);
    assert_int_equal(s.life, LIFE_STOPPING);
    service_exited(&s, 143, false);
    assert_false(s.record.failed); /* the stop asked for it */
    service_start(&s);             /* once more: while what is left is removed */
    service_event(&s, LIFE_EV_OK);
    service_event(&s, LIFE_EV_OK);
    assert_int_equal(s.life, LIFE_ADOPT);
    assert_true(s.record.wanted);
    assert_false(s.restart);
    assert_int_equal(s.restarts, 0);
}

static void a_stop_behind_a_restart_is_the_last_word(void **state) {
    (void)state;
    run_until_running();
    service_restart(&s);
    service_stop(&s);
    exits(143);
    assert_int_equal(s.life, LIFE_DOWN);
}

static void a_restart_of_a_crashed_one_starts_it_at_once(void **state) {
    (void)state;
    run_until_running();
    exits(1);
    assert_int_equal(s.life, LIFE_BACKOFF);
    service_restart(&s);
    assert_int_equal(s.life, LIFE_ADOPT);
    assert_true(s.record.wanted); /* nothing of it runs: it was down, and starts */
    run_on();
    assert_false(s.record.failed);
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
    assert_false(s.record.wanted);
}

static void a_failed_start_is_settled_and_tried_again(void **state) {
    (void)state;
    service_start(&s);
    service_event(&s, LIFE_EV_NOT_FOUND);
    service_event(&s, LIFE_EV_OK);
    service_event(&s, LIFE_EV_OK);
    service_fail(&s, "create its task", "no such command");
    assert_int_equal(s.life, LIFE_CLEAN_KILL);
    service_event(&s, LIFE_EV_NOT_FOUND);
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
    now += 70000;
    exits(1);
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

/* --- containerd is gone --- */

static void a_stop_without_containerd_ends_all_the_same(void **state) {
    (void)state;
    s.policy.stop_timeout_ms = 3000;
    run_until_running();
    service_event(&s, LIFE_EV_LOST);
    service_stop(&s);
    assert_int_equal(s.life, LIFE_LONE_STOPPING);
    pass(&s, 2999);
    assert_int_equal(s.life, LIFE_LONE_STOPPING);
    pass(&s, 1);
    assert_int_equal(s.life, LIFE_LONE_KILLING);
    assert_false(service_is_over(&s));
    service_event(&s, LIFE_EV_EXIT);
    assert_true(service_is_over(&s));
    assert_int_equal(s.pid, 0);
    assert_string_equal(service_state_name(&s), "stopped");
    service_event(&s, LIFE_EV_READY); /* then what it knows of it is removed */
    assert_int_equal(s.life, LIFE_ADOPT);
    exits(137);
    service_event(&s, LIFE_EV_OK);
    assert_int_equal(s.life, LIFE_DOWN);
    assert_null(service_trouble(&s));
}

static void a_stop_goes_on_when_containerd_is_lost(void **state) {
    (void)state;
    run_until_running();
    service_stop(&s);
    service_event(&s, LIFE_EV_LOST);
    assert_int_equal(s.life, LIFE_LONE_STOPPING);
    service_event(&s, LIFE_EV_READY); /* it is back, and the task still runs: once more */
    service_event(&s, LIFE_EV_OK);
    assert_int_equal(s.life, LIFE_STOPPING);
    pass(&s, s.policy.stop_timeout_ms);
    service_event(&s, LIFE_EV_LOST);
    assert_int_equal(s.life, LIFE_LONE_KILLING); /* its grace is over */
}

static void what_was_told_to_stop_on_its_way_up_is_stopped_alone(void **state) {
    (void)state;
    service_start(&s);
    service_stop(&s);
    service_event(&s, LIFE_EV_LOST);
    assert_int_equal(s.life, LIFE_LONE_STOPPING);
}

static void a_restart_without_containerd_waits_for_it_in_the_middle(void **state) {
    (void)state;
    run_until_running();
    service_event(&s, LIFE_EV_LOST);
    service_restart(&s);
    service_event(&s, LIFE_EV_EXIT);
    assert_int_equal(s.life, LIFE_LONE_DOWN);
    assert_false(service_is_over(&s)); /* up it goes again */
    service_event(&s, LIFE_EV_READY);
    exits(143);
    service_event(&s, LIFE_EV_OK);
    assert_int_equal(s.life, LIFE_ADOPT);
    assert_true(s.record.wanted);
    assert_false(seen_down);
    assert_int_equal(s.restarts, 0);
}

/* --- its task is gone --- */

/* containerd cannot wait for it any more: it is looked for. */
static void vanishes(void) {
    service_event(&s, LIFE_EV_ERROR);
    assert_int_equal(s.life, LIFE_ADOPT);
    service_not_found(&s);
    assert_int_equal(s.life, LIFE_CLEAN_KILL); /* containerd may be at it still: it is waited for */
    service_event(&s, LIFE_EV_ERROR);
    service_not_found(&s);
    service_event(&s, LIFE_EV_OK); /* its container */
}

static void one_whose_task_is_gone_has_failed(void **state) {
    (void)state;
    run_until_running();
    exits(0);
    service_start(&s);
    run_on();
    vanishes();
    assert_int_equal(s.life, LIFE_BACKOFF);
    assert_string_equal(s.error, "it is gone with its task: its shim was killed, or somebody has deleted it");
    assert_false(s.exit_known); /* 0 was another life's */
    starts_again();
    assert_int_equal(s.restarts, 1);
}

static void its_policy_applies(void **state) {
    (void)state;
    s.policy.restart = RESTART_NEVER;
    run_until_running();
    vanishes();
    assert_int_equal(s.life, LIFE_FAILED);
}

static void one_that_never_ran_is_not_missed(void **state) {
    (void)state;
    s.policy.restart = RESTART_NEVER;
    service_start(&s);
    service_not_found(&s);
    service_not_found(&s);
    assert_int_equal(s.life, LIFE_CREATE);
    assert_false(s.record.failed);
}

static void one_that_goes_while_it_is_told_to_stop_is_stopped(void **state) {
    (void)state;
    run_until_running();
    service_stop(&s);
    service_not_found(&s);
    assert_int_equal(s.life, LIFE_CLEAN_TASK);
    service_not_found(&s);
    service_not_found(&s);
    assert_int_equal(s.life, LIFE_DOWN);
    assert_string_equal(s.error, "");
}

/* What containerd cannot say is no failure of the service: neither its pauses nor its restarts are used up by it. */
static void looking_in_vain_is_not_its_failure(void **state) {
    static const unsigned pauses[] = {250, 500, 1000, 2000, 4000, 8000, 16000, 30000, 30000};
    (void)state;
    s.policy.restart = RESTART_NEVER;
    service_start(&s);
    for (size_t i = 0; i < ARRAY_SIZE(pauses); i++) {
        service_fail(&s, "look for its task", "busy");
        assert_int_equal(s.life, LIFE_BACKOFF);
        assert_int_equal(due[TIMER_LIFE], now + pauses[i]);
        assert_string_equal(service_trouble(&s), "could not look for its task: busy");
        pass(&s, pauses[i]);
    }
    service_not_found(&s);
    service_not_found(&s);
    assert_int_equal(s.life, LIFE_CREATE);
    assert_int_equal(s.backoff_ms, 0);
    assert_int_equal(s.record.attempts, 0);
}

/* It ended, and what is left could not be removed at first: its policy still knows. */
static void an_end_is_not_forgotten_while_what_is_left_is_removed(void **state) {
    (void)state;
    s.policy.restart = RESTART_NEVER;
    run_until_running();
    service_exited(&s, 4, false);
    service_fail(&s, "remove what an earlier run left", "no space");
    assert_int_equal(s.life, LIFE_BACKOFF);
    pass(&s, 250);
    service_not_found(&s);
    service_not_found(&s);
    assert_int_equal(s.life, LIFE_FAILED);
}

/* --- policies --- */

static void restarts_in_a_row_are_limited(void **state) {
    (void)state;
    s.policy.limit = 2;
    run_until_running();
    exits(1);
    starts_again();
    exits(1);
    starts_again();
    exits(3);
    assert_int_equal(s.life, LIFE_FAILED);
    assert_true(s.onfail_due);
    assert_int_equal(s.restarts, 2);
    assert_string_equal(s.error, "it exited with status 3");
    service_start(&s); /* by hand: all of them once more */
    assert_int_equal(s.life, LIFE_ADOPT);
    assert_int_equal(s.record.attempts, 0);
    assert_false(s.onfail_due);
}

static void a_pause_that_containerd_does_not_outlive_is_over(void **state) {
    (void)state;
    s.policy.limit = 1;
    run_until_running();
    exits(1);
    assert_int_equal(s.record.attempts, 1);
    for (int i = 0; i < 3; i++) { /* as often as it goes: nothing was started meanwhile */
        service_event(&s, LIFE_EV_LOST);
        assert_int_equal(s.life, LIFE_DETACHED);
        service_event(&s, LIFE_EV_READY);
        assert_int_equal(s.life, LIFE_ADOPT);
    }
    run_on();
    assert_int_equal(s.life, LIFE_RUNNING);
    assert_int_equal(s.record.attempts, 1);
    assert_int_equal(s.restarts, 1);
    exits(1);
    assert_int_equal(s.life, LIFE_FAILED);
}

static void one_that_is_started_by_hand_waits_for_no_turn(void **state) {
    (void)state;
    s.queued = true;
    service_start(&s);
    assert_false(s.queued);
    assert_int_equal(s.life, LIFE_ADOPT);
}

static void at_svcds_end_nobody_looks_behind_a_pause(void **state) {
    (void)state;
    run_until_running();
    exits(1);
    assert_int_equal(s.life, LIFE_BACKOFF);
    entered[0] = '\0';
    service_leave(&s);
    assert_true(service_is_over(&s));
    assert_null(strchr(entered, 'A'));
}

static void a_long_life_gives_all_restarts_back(void **state) {
    (void)state;
    s.policy.limit = 1;
    run_until_running();
    for (int i = 0; i < 5; i++) {
        pass(&s, s.policy.reset_ms);
        exits(1);
        assert_int_equal(s.backoff_ms, s.policy.delay_ms);
        starts_again();
    }
    pass(&s, s.policy.reset_ms - 1);
    exits(1);
    assert_int_equal(s.life, LIFE_FAILED);
}

static void always_means_also_behind_status_0(void **state) {
    (void)state;
    s.policy.restart = RESTART_ALWAYS;
    run_until_running();
    exits(0);
    starts_again();
    assert_int_equal(s.restarts, 1);
    assert_string_equal(s.error, "");
}

/* Status 0 is no error, but it is why it was started so often. */
static void who_ends_well_too_often_has_a_reason(void **state) {
    (void)state;
    s.policy.restart = RESTART_ALWAYS;
    s.policy.limit = 1;
    run_until_running();
    exits(0);
    starts_again();
    exits(0);
    assert_int_equal(s.life, LIFE_FAILED);
    assert_string_equal(s.error, "it exited with status 0");
}

static void never_means_never(void **state) {
    (void)state;
    s.policy.restart = RESTART_NEVER;
    run_until_running();
    exits(1);
    assert_int_equal(s.life, LIFE_FAILED);
    service_stop(&s); /* whoever stops it knows of it */
    assert_int_equal(s.life, LIFE_DOWN);
}

static void why_it_ended_is_told_apart(void **state) {
    (void)state;
    run_until_running();
    service_exited(&s, 137, true);
    assert_string_equal(s.exit_reason, "was killed: out of memory");
    s.life = LIFE_RUNNING;
    service_exited(&s, 137, false);
    assert_string_equal(s.exit_reason, "was ended by signal 9 (Killed), not by svcd");
    s.life = LIFE_KILLING;
    service_exited(&s, 137, false);
    assert_string_equal(s.exit_reason, "was ended by signal 9 (Killed)");
    s.life = LIFE_RUNNING;
    service_exited(&s, 200, false);
    assert_string_equal(s.exit_reason, "exited with status 200");
    assert_int_equal(s.exit_status, 200);
}

/* Of containerd: it would refuse them at each start. */
static void bad_names_are_refused(void **state) {
    struct service bad;
    char longest[78];
    (void)state;
    memset(longest, 'a', sizeof(longest));
    longest[sizeof(longest) - 1] = '\0';
    for (const char *const *name =
             (const char *const[]){"", ".", "..", "a/b", "_a", "a_", "a--b", "a b", "a:b", "w\xe9", longest, NULL};
         *name; name++) {
        struct err e = {0};
        assert_int_equal(service_init(&bad, "/x", *name, &loop, &connection, changed, NULL, &e), -EINVAL);
        assert_non_null(strstr(e.msg, *name));
        assert_non_null(strstr(e.msg, "at most 76 letters and digits, with single . _ - between them"));
        assert_null(strchr(e.msg, '\n'));
        service_fini(&bad);
    }
    longest[76] = '\0';
    for (const char *const *name = (const char *const[]){"a", "0", "Web.2_x-y", longest, NULL}; *name; name++) {
        struct err e = {0};
        assert_int_equal(service_init(&bad, "/x", *name, &loop, &connection, changed, NULL, &e), 0);
        service_fini(&bad);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
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
        T(a_stop_without_containerd_ends_all_the_same),
        T(a_stop_goes_on_when_containerd_is_lost),
        T(what_was_told_to_stop_on_its_way_up_is_stopped_alone),
        T(a_restart_without_containerd_waits_for_it_in_the_middle),
        T(one_whose_task_is_gone_has_failed),
        T(its_policy_applies),
        T(one_that_never_ran_is_not_missed),
        T(one_that_goes_while_it_is_told_to_stop_is_stopped),
        T(looking_in_vain_is_not_its_failure),
        T(an_end_is_not_forgotten_while_what_is_left_is_removed),
        T(restarts_in_a_row_are_limited),
        T(a_pause_that_containerd_does_not_outlive_is_over),
        T(one_that_is_started_by_hand_waits_for_no_turn),
        T(at_svcds_end_nobody_looks_behind_a_pause),
        T(a_long_life_gives_all_restarts_back),
        T(always_means_also_behind_status_0),
        T(who_ends_well_too_often_has_a_reason),
        T(never_means_never),
        T(why_it_ended_is_told_apart),
        T(bad_names_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
