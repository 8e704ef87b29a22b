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

#define SHELL(script) ((const char *const[]){"sh", "-c", script, NULL})

static int64_t seconds(void) {
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec;
}

static void a_kernel_that_starts_is_believed_and_killed(void **state) {
    (void)state;
    struct err e = {0};
    int64_t begin = seconds();
    assert_int_equal(accel_probe(SHELL("echo hello; echo Kernel panic - not syncing: VFS; exec sleep 60"), 30000, &e),
                     0);
    assert_true(seconds() - begin < 20);
}

static void a_qemu_that_ends_early_is_not_believed(void **state) {
    (void)state;
    struct err e = {0};
    assert_int_equal(accel_probe(SHELL("echo Linux version"), 30000, &e), -EIO);
    assert_string_equal(e.msg, "QEMU ended before the kernel had started");
    assert_int_equal(accel_probe((const char *const[]){"/nowhere/qemu", NULL}, 30000, &e), -ENOENT);
}

static void a_probe_that_hangs_does_not_hang_us(void **state) {
    (void)state;
    struct err e = {0};
    int64_t begin = seconds();
    assert_int_equal(accel_probe(SHELL("echo Probing EDD; exec sleep 60"), 200, &e), -ETIMEDOUT);
    assert_true(seconds() - begin < 20);
}

static void endless_output_is_bounded(void **state) {
    (void)state;
    struct err e = {0};
    assert_int_equal(accel_probe((const char *const[]){"yes", NULL}, 30000, &e), -EIO);
}

static void tcg_needs_no_probe(void **state) {
    (void)state;
    struct run_options o = {.accel = "tcg:kvm"};
    struct err e = {0};
    const char *accel = NULL;
    assert_int_equal(accel_pick(&o, true, &accel, &e), 0);
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
    assert_int_equal(accel_pick(&o, true, &accel, &e), 0);
    assert_string_equal(accel, "tcg");
    o.accel = "kvm";
    assert_true(accel_pick(&o, true, &accel, &e) < 0);
    assert_non_null(strstr(e.msg, "architecture"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_kernel_that_starts_is_believed_and_killed),
        cmocka_unit_test(a_qemu_that_ends_early_is_not_believed),
        cmocka_unit_test(a_probe_that_hangs_does_not_hang_us),
        cmocka_unit_test(endless_output_is_bounded),
        cmocka_unit_test(tcg_needs_no_probe),
        cmocka_unit_test(another_architecture_is_emulated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
