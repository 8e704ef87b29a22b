/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/waits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib/auto.h"

#define TEXT(s)                                                                                                        \
    { s, sizeof(s) - 1 }
#define STAGE(name, of, start, end) .stage = TEXT(name), .parent = TEXT(of), .start_ns = (start), .end_ns = (end)

/* In the order in which they end, as a timeline is. */
static const struct timeline_entry boot[] = {
    {STAGE("kernel", "", 0, 10)},
    {STAGE("mounts", "init", 10, 12)},
    {STAGE("init", "", 10, 15)},
    {STAGE("onboot/000-a", "010-onboot", 20, 25)},
    {STAGE("onboot/001-b", "010-onboot", 26, 30)},
    {STAGE("010-onboot", "init.d", 16, 31)},
    {STAGE("services/db", "020-containerd", 40, 50), .tells_after = true},
    {STAGE("services/db", "020-containerd", 51, 55), .tells_after = true},
    {STAGE("services/www", "020-containerd", 56, 60), .tells_after = true, .after_len = 2,
     .after = {TEXT("services/db"), TEXT("nobody")}},
    {STAGE("services/early", "020-containerd", 45, 61), .tells_after = true, .after_len = 1,
     .after = {TEXT("services/db")}},
};

static size_t waited(size_t i) {
    size_t out[TIMELINE_AFTER_MAX];
    size_t n = waits_find(boot, ARRAY_SIZE(boot), i, out);

    assert_true(n <= 1);
    return n ? out[0] : SIZE_MAX;
}

static void a_step_waits_for_the_one_before_it_of_its_parent(void **state) {
    (void)state;
    assert_int_equal(waited(0), SIZE_MAX);
    assert_int_equal(waited(1), SIZE_MAX); /* the first of its parent */
    assert_int_equal(waited(2), 0);
    assert_int_equal(waited(3), SIZE_MAX);
    assert_int_equal(waited(4), 3);
}

static void who_says_whom_it_waited_for_is_believed(void **state) {
    (void)state;
    assert_int_equal(waited(7), SIZE_MAX); /* nobody, though another ended before */
    assert_int_equal(waited(8), 7);        /* the last of that name */
    assert_int_equal(waited(9), SIZE_MAX); /* it began before the other's end */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_step_waits_for_the_one_before_it_of_its_parent),
        cmocka_unit_test(who_says_whom_it_waited_for_is_believed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
