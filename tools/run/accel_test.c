/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include <time.h>

#include "tools/run/accel.h"

static void a_probe_that_works_is_believed(void **state) {
    (void)state;
    struct err e = {0};
    assert_int_equal(accel_probe((const char *const[]){"true", NULL}, 5000, &e), 0);
}

static void a_probe_that_fails_is_not(void **state) {
    (void)state;
    struct err e = {0};
    assert_int_equal(accel_probe((const char *const[]){"false", NULL}, 5000, &e), -EIO);
    assert_string_equal(e.msg, "the probe exited with status 1");
    assert_true(accel_probe((const char *const[]){"/nowhere/probe", NULL}, 5000, &e) < 0);
}

static void a_probe_that_hangs_does_not_hang_us(void **state) {
    (void)state;
    struct err e = {0};
    struct timespec begin, end;
    (void)clock_gettime(CLOCK_MONOTONIC, &begin);
    assert_int_equal(accel_probe((const char *const[]){"sleep", "60", NULL}, 100, &e), -ETIMEDOUT);
    (void)clock_gettime(CLOCK_MONOTONIC, &end);
    assert_true(end.tv_sec - begin.tv_sec < 20);
}

static void a_device_that_is_not_kvm_is_refused(void **state) {
    (void)state;
    struct err e = {0};
    assert_int_equal(accel_try_kvm("/dev/null", &e), -ENOTSUP);
    assert_int_equal(accel_try_kvm("/nowhere/kvm", &e), -ENOENT);
}

static void tcg_needs_no_probe(void **state) {
    (void)state;
    struct run_options o = {.accel = "tcg:kvm"};
    struct err e = {0};
    const char *accel = NULL;
    assert_int_equal(accel_pick(&o, &accel, &e), 0);
    assert_string_equal(accel, "tcg");
}

static void another_architecture_is_emulated(void **state) {
    (void)state;
#ifdef __aarch64__
    struct run_options o = {.accel = "auto", .arch = RUN_X86_64};
#else
    struct run_options o = {.accel = "auto", .arch = RUN_AARCH64};
#endif
    struct err e = {0};
    const char *accel = NULL;
    assert_int_equal(accel_pick(&o, &accel, &e), 0);
    assert_string_equal(accel, "tcg");
    o.accel = "kvm";
    assert_true(accel_pick(&o, &accel, &e) < 0);
    assert_non_null(strstr(e.msg, "architecture"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_probe_that_works_is_believed),
        cmocka_unit_test(a_probe_that_fails_is_not),
        cmocka_unit_test(a_probe_that_hangs_does_not_hang_us),
        cmocka_unit_test(a_device_that_is_not_kvm_is_refused),
        cmocka_unit_test(tcg_needs_no_probe),
        cmocka_unit_test(another_architecture_is_emulated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
