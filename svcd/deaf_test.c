/* SPDX-License-Identifier: Apache-2.0 */
#include "svcd/deaf.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/fdutil.h"

#define TERM_ONLY "0000000000004000"
#define NOTHING "0000000000000000"

static char root[] = "/tmp/deaf_test.XXXXXX";

/* Whether SIGTERM is dropped by process 7, whose status has these lines. */
static bool dropped(const char *nspid, const char *blocked, const char *caught, int signo) {
    char path[64], text[256];

    (void)snprintf(path, sizeof(path), "%s/7", root);
    assert_int_equal(mkdir_p(path, 0755, NULL), 0);
    (void)snprintf(path, sizeof(path), "%s/7/status", root);
    (void)snprintf(text, sizeof(text), "Name:\tx\nNSpid:%s\nSigBlk:\t%s\nSigIgn:\t%s\nSigCgt:\t%s\n", nspid, blocked,
                   NOTHING, caught);
    assert_int_equal(write_file_atomic(path, text, strlen(text), 0644, false, NULL), 0);
    return signal_is_dropped(root, 7, signo);
}

static void the_first_process_of_a_container_drops_what_it_does_not_handle(void **state) {
    (void)state;
    assert_true(dropped("\t712\t1", NOTHING, NOTHING, SIGTERM));
    assert_true(dropped("\t712\t33\t1", NOTHING, NOTHING, SIGTERM));
    assert_true(dropped("\t712\t1", NOTHING, TERM_ONLY, SIGINT));
}

static void what_is_handled_or_blocked_is_heard(void **state) {
    (void)state;
    assert_false(dropped("\t712\t1", NOTHING, TERM_ONLY, SIGTERM));
    assert_false(dropped("\t712\t1", TERM_ONLY, NOTHING, SIGTERM));
}

/* As in the above: its status is there, and who it is. */
static void the_first_of_a_namespace_is_told_from_others(void **state) {
    (void)state;
    (void)dropped("\t712\t1", NOTHING, TERM_ONLY, SIGTERM);
    assert_true(is_first_of_pids(root, 7));
    (void)dropped("\t712\t11", NOTHING, NOTHING, SIGTERM);
    assert_false(is_first_of_pids(root, 7));
    (void)dropped("\t1", NOTHING, NOTHING, SIGTERM); /* of our own */
    assert_false(is_first_of_pids(root, 7));
    assert_false(is_first_of_pids(root, 8));
    assert_false(is_first_of_pids("/proc", getpid()));
}

static void others_die_of_it(void **state) {
    (void)state;
    assert_false(dropped("\t712", NOTHING, NOTHING, SIGTERM));
    assert_false(dropped("\t1", NOTHING, NOTHING, SIGTERM)); /* our own namespace's */
    assert_false(dropped("\t712\t11", NOTHING, NOTHING, SIGTERM));
    assert_false(dropped("\t712\t1", NOTHING, NOTHING, SIGKILL));
    assert_false(dropped("\t712\t1", NOTHING, NOTHING, SIGSTOP));
}

static void what_is_not_known_is_not_dropped(void **state) {
    (void)state;
    assert_false(signal_is_dropped(root, 8, SIGTERM));
    assert_false(signal_is_dropped("/proc", getpid(), SIGTERM));
    assert_false(dropped("\t712\t1", NOTHING, NOTHING, 65));
}

static int make_root(void **state) {
    (void)state;
    return mkdtemp(root) ? 0 : -1;
}

static int remove_root(void **state) {
    char path[64];

    (void)state;
    (void)snprintf(path, sizeof(path), "%s/7/status", root);
    (void)unlink(path);
    (void)snprintf(path, sizeof(path), "%s/7", root);
    (void)rmdir(path);
    return rmdir(root);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_process_of_a_container_drops_what_it_does_not_handle),
        cmocka_unit_test(what_is_handled_or_blocked_is_heard),
        cmocka_unit_test(the_first_of_a_namespace_is_told_from_others),
        cmocka_unit_test(others_die_of_it),
        cmocka_unit_test(what_is_not_known_is_not_dropped),
    };

    return cmocka_run_group_tests(tests, make_root, remove_root);
}
