/* SPDX-License-Identifier: Apache-2.0 */
/* A service is told to stop, wherever in its life it is. */
#include "svcd/service_test.h"

static void the_grace_is_the_services_own(void **state) {
    (void)state;
    s.policy.stop_timeout_ms = 90000;
    run_until_running();
    service_stop(&s);
    pass(&s, 89999);
    assert_int_equal(s.life, LIFE_STOPPING);
    pass(&s, 1);
    assert_int_equal(s.life, LIFE_KILLING);
}

/* What it waited for was a task that could not be removed: it may run still. */
static void a_stop_while_it_waits_looks_first(void **state) {
    (void)state;
    run_until_running();
    service_stop(&s);
    pass(&s, 20000); /* even SIGKILL did not end it */
    service_fail(&s, "remove it", "the task is running");
    assert_int_equal(s.life, LIFE_BACKOFF);
    service_stop(&s);
    assert_int_equal(s.life, LIFE_ADOPT);
    assert_false(seen_down);
    service_event(&s, LIFE_EV_OK); /* it runs indeed */
    assert_int_equal(s.life, LIFE_STOPPING);
}

static void what_was_queued_and_is_stopped_is_settled(void **state) {
    (void)state;
    s.queued = true;
    assert_string_equal(service_state_name(&s), "queued");
    service_stop(&s);
    assert_true(s.settled);
    assert_int_equal(changes > 0, 1);
    assert_string_equal(service_state_name(&s), "stopped");
}

/* The svcd before was killed when it had asked containerd to start it. */
static void what_is_queued_and_may_run_is_looked_at_when_it_is_stopped(void **state) {
    (void)state;
    s.queued = s.unseen = s.record.wanted = true;
    connection = (struct grpc *)&connection; /* one that is there */
    service_stop(&s);
    assert_int_equal(s.life, LIFE_ADOPT);
    assert_false(s.settled);
    service_event(&s, LIFE_EV_OK);
    assert_int_equal(s.life, LIFE_STOPPING);
    connection = NULL;
}

/* All of it is gone: containerd need not be asked, and what is known of its end stays. */
static void a_stop_in_the_pause_before_a_start_is_done_at_once(void **state) {
    (void)state;
    run_until_running();
    exits(7);
    assert_int_equal(s.life, LIFE_BACKOFF);
    entered[0] = '\0';
    service_stop(&s);
    assert_int_equal(s.life, LIFE_DOWN);
    assert_null(strchr(entered, 'A'));
    assert_string_equal(s.error, "it exited with status 7");
    assert_int_equal(s.exit_status, 7);
    pass(&s, 3600000);
    assert_int_equal(s.life, LIFE_DOWN);
}

/* As far as life l, in which somebody hangs. */
static void hangs_in(enum life l) {
    service_start(&s);
    for (int i = 0; i < 2; i++)
        service_event(&s, LIFE_EV_NOT_FOUND);
    while (s.life != l && s.life != LIFE_RUNNING)
        service_event(&s, LIFE_EV_OK);
    assert_int_equal(s.life, l);
}

static void is_removed(void) {
    while (life_is_looking(s.life))
        service_event(&s, LIFE_EV_NOT_FOUND);
}

static void a_start_that_hangs_is_given_up_behind_the_grace(void **state) {
    static const struct {
        enum life in, to;
    } rows[] = {
        {LIFE_CREATE, LIFE_CLEAN_CONTAINER}, {LIFE_CREATE_TASK, LIFE_CLEAN_KILL}, {LIFE_START, LIFE_CLEAN_KILL}};
    (void)state;
    s.policy.stop_timeout_ms = 3000;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        hangs_in(rows[i].in);
        pass(&s, 3600000); /* nobody has told it to stop: containerd's call has a deadline of its own */
        assert_int_equal(s.life, rows[i].in);
        service_stop(&s);
        pass(&s, 2000);
        service_stop(&s); /* once more: that is no new grace */
        pass(&s, 999);
        assert_int_equal(s.life, rows[i].in);
        pass(&s, 1);
        assert_int_equal(s.life, rows[i].to);
        assert_non_null(strstr(s.error, "its start did not end"));
        is_removed();
        assert_int_equal(s.life, LIFE_DOWN);
    }
}

/* What is done in the root, by a child. */
static void a_preparation_that_hangs_is_given_up_too(void **state) {
    (void)state;
    s.policy.stop_timeout_ms = 3000;
    hangs_in(LIFE_CREATE);
    s.life = LIFE_ATTACH;
    service_stop(&s);
    pass(&s, 3000);
    assert_int_equal(s.life, LIFE_CLEAN_KILL);
    is_removed();
    assert_int_equal(s.life, LIFE_DOWN);
    hangs_in(LIFE_CREATE);
    s.life = LIFE_PREPARE;
    service_stop(&s);
    pass(&s, 3000);
    assert_int_equal(s.life, LIFE_DOWN);
}

static void a_start_that_goes_on_has_no_new_grace(void **state) {
    (void)state;
    s.policy.stop_timeout_ms = 3000;
    hangs_in(LIFE_CREATE);
    service_stop(&s);
    pass(&s, 2000);
    service_event(&s, LIFE_EV_OK);
    assert_int_equal(s.life, LIFE_CREATE_TASK);
    pass(&s, 1000);
    assert_int_equal(s.life, LIFE_CLEAN_KILL);
}

static void a_restart_of_one_whose_start_hangs_starts_it_anew(void **state) {
    (void)state;
    s.policy.stop_timeout_ms = 3000;
    hangs_in(LIFE_CREATE_TASK);
    service_restart(&s);
    pass(&s, 3000);
    for (int i = 0; i < 3; i++)
        service_event(&s, LIFE_EV_NOT_FOUND);
    run_on();
    assert_null(service_trouble(&s));
    assert_false(seen_down);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        T(the_grace_is_the_services_own),
        T(a_stop_while_it_waits_looks_first),
        T(what_was_queued_and_is_stopped_is_settled),
        T(what_is_queued_and_may_run_is_looked_at_when_it_is_stopped),
        T(a_stop_in_the_pause_before_a_start_is_done_at_once),
        T(a_start_that_hangs_is_given_up_behind_the_grace),
        T(a_preparation_that_hangs_is_given_up_too),
        T(a_start_that_goes_on_has_no_new_grace),
        T(a_restart_of_one_whose_start_hangs_starts_it_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
