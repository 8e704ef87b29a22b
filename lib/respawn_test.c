/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/respawn.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "lib/auto.h"
#include "lib/log.h"

static void the_delay_doubles_up_to_its_bound_and_falls_back(void **state) {
    unsigned delay = 0;
    (void)state;
    delay = respawn_next_delay(delay, 0);
    assert_int_equal(delay, 100);
    assert_int_equal(respawn_next_delay(delay, 0), 200);
    for (int i = 0; i < 20; i++)
        delay = respawn_next_delay(delay, 500);
    assert_int_equal(delay, 5000);
    assert_int_equal(respawn_next_delay(delay, 10000), 100);
}

static void a_dead_respawn_is_due_again_and_a_stopped_one_is_not(void **state) {
    struct loop l;
    struct respawn d;
    int status;
    (void)state;
    log_set_fd(-1);
    assert_int_equal(loop_init(&l), 0);
    respawn_start(&d, &l, (const char *const[]){"/bin/true", NULL});
    assert_true(d.pid > 0);
    pid_t pid = d.pid;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_false(respawn_reaped(&d, pid + 1, status));
    assert_true(respawn_reaped(&d, pid, status));
    assert_int_equal(d.pid, 0);
    assert_true(loop_has(&d.timer));
    assert_false(respawn_stop(&d, SIGTERM));
    assert_false(loop_has(&d.timer));
    loop_fini(&l);
    log_set_fd(2);
}

static void an_absent_program_is_not_wanted(void **state) {
    struct loop l;
    struct respawn d;
    (void)state;
    assert_int_equal(loop_init(&l), 0);
    respawn_start(&d, &l, (const char *const[]){"/nonexistent/daemon", NULL});
    assert_false(d.wanted);
    assert_false(respawn_stop(&d, SIGTERM));
    loop_fini(&l);
}

static void one_that_others_wait_for_comes_back_within_a_second(void **state) {
    static struct fdstore store; /* nothing is asked of it */
    struct loop l;
    struct respawn d;
    (void)state;
    log_set_fd(-1);
    assert_int_equal(loop_init(&l), 0);
    assert_int_equal(fdstore_init(&store, &l), 0);
    respawn_start_with_store(&d, &l, (const char *const[]){"/bin/true", NULL}, &store);
    d.delay_ms = 5000;
    assert_int_equal(waitpid(d.pid, NULL, 0), d.pid);
    assert_true(respawn_reaped(&d, d.pid, 0));
    assert_int_equal(d.delay_ms, 1000);
    (void)respawn_stop(&d, 0);
    fdstore_fini(&store, &l);
    loop_fini(&l);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_delay_doubles_up_to_its_bound_and_falls_back),
        cmocka_unit_test(a_dead_respawn_is_due_again_and_a_stopped_one_is_not),
        cmocka_unit_test(one_that_others_wait_for_comes_back_within_a_second),
        cmocka_unit_test(an_absent_program_is_not_wanted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
