/* SPDX-License-Identifier: Apache-2.0 */
/* Is a running service ready, and well, and what follows if not. */
#include "svcd/service_test.h"

static void one_that_says_when_it_is_ready_is_asked(void **state) {
    (void)state;
    s.policy.ready.kind = PROBE_TCP;
    run_until_running();
    assert_ptr_equal(probed, &s.policy.ready);
    assert_false(service_is_ready(&s));
    service_probed(&s, false, "port 80: refused");
    assert_int_equal(due[TIMER_PROBE], now + 500);
    pass(&s, 500);
    assert_int_equal(probes, 2);
    service_probed(&s, true, "");
    assert_true(service_is_ready(&s));
    assert_int_equal(due[TIMER_READY], 0);
    assert_int_equal(due[TIMER_PROBE], 0); /* and its health nobody asks for */
}

static void one_that_is_not_ready_in_time_has_failed(void **state) {
    (void)state;
    s.policy.ready.kind = PROBE_TCP;
    run_until_running();
    service_probed(&s, false, "port 80: refused");
    due[TIMER_PROBE] = 0; /* the next look hangs */
    pass(&s, 60000);
    assert_int_equal(s.life, LIFE_STOPPING);
    assert_true(probes_stopped > 0);
    exits(143);
    assert_int_equal(s.life, LIFE_BACKOFF);
    assert_string_equal(s.error, "it was not ready in time: port 80: refused");
}

static void an_adopted_one_need_not_show_that_it_is_ready(void **state) {
    (void)state;
    s.policy.ready.kind = PROBE_TCP;
    service_start(&s);
    service_event(&s, LIFE_EV_OK);
    assert_true(service_is_ready(&s));
    assert_int_equal(probes, 0);
}

static void one_that_was_not_ready_is_asked_on_when_containerd_is_back(void **state) {
    (void)state;
    s.policy.ready.kind = PROBE_TCP;
    run_until_running();
    pass(&s, 20000);
    service_event(&s, LIFE_EV_LOST);
    assert_int_equal(due[TIMER_READY], 0);
    pass(&s, 10000);
    service_event(&s, LIFE_EV_READY);
    service_event(&s, LIFE_EV_OK);
    assert_int_equal(s.life, LIFE_RUNNING);
    assert_false(service_is_ready(&s));
    assert_int_equal(due[TIMER_READY], now + 30000); /* 60 s in all */
    service_probed(&s, true, "");
    assert_true(service_is_ready(&s));
}

static void one_whose_time_is_over_when_containerd_is_back_has_failed(void **state) {
    (void)state;
    s.policy.ready.kind = PROBE_TCP;
    run_until_running();
    service_event(&s, LIFE_EV_LOST);
    pass(&s, 100000);
    service_event(&s, LIFE_EV_READY);
    service_event(&s, LIFE_EV_OK);
    pass(&s, 1);
    assert_int_equal(s.life, LIFE_STOPPING);
    assert_string_equal(s.error, "it was not ready in time");
}

static void an_unhealthy_one_is_stopped_and_started_again(void **state) {
    (void)state;
    s.policy.health.kind = PROBE_HTTP;
    run_until_running();
    for (int i = 0; i < 2; i++) {
        service_probed(&s, false, "no answer in time");
        assert_int_equal(s.life, LIFE_RUNNING);
        pass(&s, 10000);
    }
    service_probed(&s, true, ""); /* well again: the row begins anew */
    for (int i = 0; i < 3; i++) {
        assert_int_equal(s.life, LIFE_RUNNING);
        service_probed(&s, false, "no answer in time");
    }
    assert_int_equal(s.life, LIFE_STOPPING);
    assert_int_equal(due[TIMER_PROBE], 0);
    exits(0); /* it ends in peace: it has failed all the same */
    assert_string_equal(s.error, "it is unhealthy: no answer in time");
    starts_again();
    assert_int_equal(s.health.now, HEALTH_READY);
}

static void become_unhealthy(void) {
    s.policy.health.kind = PROBE_HTTP;
    run_until_running();
    for (int i = 0; i < 3; i++)
        service_probed(&s, false, "no answer in time");
    assert_int_equal(s.life, LIFE_STOPPING);
}

/* By an operator, who wants to look at it. */
static void a_paused_one_is_not_unhealthy(void **state) {
    (void)state;
    s.policy.health.kind = PROBE_HTTP;
    run_until_running();
    s.paused = true;
    due[TIMER_PROBE] = 0;
    service_probed(&s, false, "no answer in time"); /* that had begun before */
    unsigned before = probes;
    pass(&s, 25000);
    assert_int_equal(probes, before);
    assert_int_equal(due[TIMER_PROBE], now + 5000); /* it is looked at again when it goes on */
    assert_int_equal(s.life, LIFE_RUNNING);
    assert_string_equal(s.health_error, "");
    s.paused = false;
    for (int i = 0; i < 3; i++)
        service_probed(&s, false, "no answer in time");
    assert_int_equal(s.life, LIFE_STOPPING);
    s.paused = true;
    exits(0);
    starts_again();
    assert_false(s.paused);
}

static void a_pause_does_not_use_up_the_time_to_become_ready(void **state) {
    (void)state;
    s.policy.ready.kind = PROBE_TCP;
    run_until_running();
    s.paused = true;
    due[TIMER_PROBE] = 0;
    pass(&s, 60000);
    assert_int_equal(s.life, LIFE_RUNNING);
    assert_int_equal(due[TIMER_READY], now + 60000);
    s.paused = false;
    pass(&s, 60000);
    assert_string_equal(s.error, "it was not ready in time");
}

static void an_unhealthy_one_that_ends_alone_has_failed(void **state) {
    (void)state;
    become_unhealthy();
    service_event(&s, LIFE_EV_LOST);
    service_event(&s, LIFE_EV_EXIT);
    service_event(&s, LIFE_EV_READY);
    service_exited(&s, 0, false); /* as containerd tells who looks for it */
    for (int i = 0; i < 3; i++)
        service_event(&s, LIFE_EV_OK);
    assert_string_equal(s.error, "it is unhealthy: no answer in time");
    starts_again();
}

static void an_unhealthy_one_that_runs_still_is_stopped_once_more(void **state) {
    (void)state;
    become_unhealthy();
    service_event(&s, LIFE_EV_LOST);
    service_event(&s, LIFE_EV_READY);
    service_event(&s, LIFE_EV_OK);
    assert_int_equal(s.life, LIFE_STOPPING);
    exits(0);
    starts_again();
    assert_false(s.unfit);
}

static void an_unhealthy_one_that_is_never_restarted_runs_on(void **state) {
    (void)state;
    s.policy.health.kind = PROBE_HTTP;
    s.policy.restart = RESTART_NEVER;
    run_until_running();
    for (int i = 0; i < 3; i++)
        service_probed(&s, false, "no");
    assert_int_equal(s.life, LIFE_RUNNING);
    assert_int_equal(s.health.now, HEALTH_UNHEALTHY);
    assert_int_equal(due[TIMER_PROBE], now + 10000);
}

static void a_stop_ends_the_looking(void **state) {
    (void)state;
    s.policy.health.kind = PROBE_TCP;
    run_until_running();
    service_stop(&s);
    assert_true(probes_stopped > 0);
    service_probed(&s, false, "too late");
    assert_int_equal(s.life, LIFE_STOPPING);
    exits(143);
    assert_int_equal(s.life, LIFE_DOWN);
    assert_int_equal(s.health.now, HEALTH_NONE);
}

static void health_survives_containerds_absence(void **state) {
    (void)state;
    s.policy.health.kind = PROBE_TCP;
    run_until_running();
    service_probed(&s, true, "");
    service_event(&s, LIFE_EV_LOST);
    service_event(&s, LIFE_EV_READY);
    service_event(&s, LIFE_EV_OK);
    assert_int_equal(s.health.now, HEALTH_HEALTHY);
    assert_int_equal(probes, 2); /* and is looked at again */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        T(one_that_says_when_it_is_ready_is_asked),
        T(one_that_is_not_ready_in_time_has_failed),
        T(an_adopted_one_need_not_show_that_it_is_ready),
        T(one_that_was_not_ready_is_asked_on_when_containerd_is_back),
        T(one_whose_time_is_over_when_containerd_is_back_has_failed),
        T(an_unhealthy_one_is_stopped_and_started_again),
        T(a_paused_one_is_not_unhealthy),
        T(a_pause_does_not_use_up_the_time_to_become_ready),
        T(an_unhealthy_one_that_ends_alone_has_failed),
        T(an_unhealthy_one_that_runs_still_is_stopped_once_more),
        T(an_unhealthy_one_that_is_never_restarted_runs_on),
        T(a_stop_ends_the_looking),
        T(health_survives_containerds_absence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
