/* SPDX-License-Identifier: Apache-2.0 */
/* containerd's answers, as the states of a service take them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "svcd/acts.c" /* NOLINT(bugprone-suspicious-include): its static functions are what is tested */

static struct loop loop;
static struct grpc *connection;
static struct service s;
static enum life last_entered;

static void fake_enter(struct service *service, enum life l) {
    (void)service;
    last_entered = l;
}

static void changed(struct service *service, void *data) {
    (void)service;
    (void)data;
}

static const struct service_ops fake = {fake_enter};

static int begin(void **state) {
    struct err e = {0};
    (void)state;
    log_set_fd(-1);
    if (loop_init(&loop) < 0 || service_init(&s, "/x", "www", &loop, &connection, changed, NULL, &e) < 0)
        return -1;
    s.ops = &fake;
    s.wanted = true;
    return 0;
}

static int finish(void **state) {
    (void)state;
    service_fini(&s);
    loop_fini(&loop);
    log_set_fd(2);
    return 0;
}

/* The call was made in state `in`; it is answered in state `now`. */
static enum life answered(enum life in, enum life now, int status, grpc_done_fn *done) {
    const struct grpc_result r = {.status = status, .error = "words"};

    s.life = in;
    struct ticket *t = ticket_new(&s);
    assert_non_null(t);
    s.life = now;
    done(t, &r);
    return s.life;
}

static enum life answer_in(enum life l, int status) {
    return answered(l, l, status, on_answer);
}

static void good_answers_lead_on(void **state) {
    (void)state;
    assert_int_equal(answer_in(LIFE_CLEAN_KILL, GRPC_OK), LIFE_CLEAN_TASK);
    assert_int_equal(answer_in(LIFE_CLEAN_TASK, GRPC_OK), LIFE_CLEAN_CONTAINER);
    assert_int_equal(answer_in(LIFE_CREATE, GRPC_OK), LIFE_CREATE_TASK);
    assert_int_equal(answer_in(LIFE_START, GRPC_OK), LIFE_RUNNING);
}

static void what_is_not_there_need_not_be_removed(void **state) {
    (void)state;
    assert_int_equal(answer_in(LIFE_ADOPT, GRPC_NOT_FOUND), LIFE_CLEAN_CONTAINER);
    assert_int_equal(answer_in(LIFE_CLEAN_KILL, GRPC_NOT_FOUND), LIFE_CLEAN_TASK);
    assert_int_equal(answer_in(LIFE_CLEAN_TASK, GRPC_NOT_FOUND), LIFE_CLEAN_CONTAINER);
}

/* containerd says "not found" as well when the command, or the image's root, is not there. */
static void a_start_that_finds_nothing_has_failed(void **state) {
    (void)state;
    assert_int_equal(answer_in(LIFE_CREATE_TASK, GRPC_NOT_FOUND), LIFE_CLEAN_TASK);
    assert_true(s.failed);
    assert_string_equal(s.error, "could not create its task: words");
}

static void an_error_of_the_runtime_is_kept(void **state) {
    (void)state;
    assert_int_equal(answer_in(LIFE_START, 2), LIFE_CLEAN_KILL);
    assert_string_equal(s.error, "could not start its task: words");
    assert_int_equal(answer_in(LIFE_CREATE, -ETIMEDOUT), LIFE_CLEAN_CONTAINER);
    assert_string_equal(s.error, "could not create its container: words");
}

static void a_lost_connection_is_no_failure(void **state) {
    (void)state;
    for (int l = LIFE_ADOPT; l < LIVES; l++) {
        if (l == LIFE_DECIDE || l == LIFE_PREPARE || l == LIFE_BACKOFF)
            continue;
        assert_int_equal(answer_in((enum life)l, -ECONNRESET), LIFE_DETACHED);
        assert_false(s.failed);
    }
}

static void the_kill_itself_decides_nothing(void **state) {
    (void)state;
    assert_int_equal(answer_in(LIFE_STOPPING, GRPC_OK), LIFE_STOPPING);
    assert_int_equal(answer_in(LIFE_STOPPING, 2), LIFE_STOPPING);
    assert_int_equal(answer_in(LIFE_KILLING, -ETIMEDOUT), LIFE_KILLING);
}

static void an_answer_that_comes_too_late_is_dropped(void **state) {
    (void)state;
    assert_int_equal(answered(LIFE_CREATE, LIFE_DETACHED, GRPC_OK, on_answer), LIFE_DETACHED);
    assert_int_equal(answered(LIFE_STOPPING, LIFE_CLEAN_TASK, 2, on_answer), LIFE_CLEAN_TASK);
}

static void a_wait_that_fails_is_only_the_running_ones_business(void **state) {
    (void)state;
    assert_int_equal(answered(LIFE_RUNNING, LIFE_RUNNING, 2, on_exit_seen), LIFE_ADOPT);
    assert_int_equal(answered(LIFE_RUNNING, LIFE_CLEAN_TASK, 2, on_exit_seen), LIFE_CLEAN_TASK);
    assert_int_equal(answered(LIFE_RUNNING, LIFE_CLEAN_CONTAINER, -ETIMEDOUT, on_exit_seen), LIFE_CLEAN_CONTAINER);
}

static void an_exit_of_an_earlier_life_is_not_this_ones(void **state) {
    const struct grpc_result exited = {.status = GRPC_OK, .error = ""}; /* an empty message: status 0 */
    (void)state;
    s.life = LIFE_RUNNING;
    struct ticket *t = ticket_new(&s);
    s.generation++;
    on_exit_seen(t, &exited);
    assert_int_equal(s.life, LIFE_RUNNING);
    on_exit_seen(ticket_new(&s), &exited);
    assert_int_equal(s.life, LIFE_CLEAN_TASK);
    assert_true(s.ended);
}

static void an_answer_that_is_no_message_is_a_failure(void **state) {
    const struct grpc_result bad = {.status = GRPC_OK, .error = "", .message = (const uint8_t *)"\xff\xff", .len = 2};
    (void)state;
    s.life = LIFE_CREATE_TASK;
    on_answer(ticket_new(&s), &bad);
    assert_int_equal(s.life, LIFE_CLEAN_TASK);
    assert_non_null(strstr(s.error, "could not be read"));
}

#define T(name) cmocka_unit_test_setup_teardown(name, begin, finish)

int main(void) {
    const struct CMUnitTest tests[] = {
        T(good_answers_lead_on),
        T(what_is_not_there_need_not_be_removed),
        T(a_start_that_finds_nothing_has_failed),
        T(an_error_of_the_runtime_is_kept),
        T(a_lost_connection_is_no_failure),
        T(the_kill_itself_decides_nothing),
        T(an_answer_that_comes_too_late_is_dropped),
        T(a_wait_that_fails_is_only_the_running_ones_business),
        T(an_exit_of_an_earlier_life_is_not_this_ones),
        T(an_answer_that_is_no_message_is_a_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
