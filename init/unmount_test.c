/* SPDX-License-Identifier: Apache-2.0 */
/* The last worker on a made-up system: what it unmounts, in which order, and whatever call fails. */
#include "init/unmount.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "init/fake_system.h"
#include "lib/auto.h"
#include "lib/log.h"

#define MOUNTS                                                                                                         \
    "rootfs / rootfs ro 0 0\nproc /proc proc rw 0 0\ntmpfs /var tmpfs rw 0 0\n/dev/vda /var/disk ext4 rw 0 0\n"        \
    "tmpfs /var/disk/a\\040b tmpfs rw 0 0\n/dev/vdb /var/disk/a\\040b/c ext4 rw 0 0\n"                                 \
    "server:/x /var/net nfs4 rw 0 0\noverlay /var/merged overlay rw 0 0\n"

static const struct fake_file files[] = {{"/proc/cmdline", "console=ttyS0\n", NULL},
                                         {"/dev/ttyS0", "", NULL},
                                         {"/proc/self/mounts", MOUNTS, NULL},
                                         {NULL, NULL, NULL}};

static const char *const order[] = {
    "sync",
    "mount - /var/merged remount,ro",
    "umount /var/merged",
    "umount /var/net lazily",
    "mount - /var/disk/a b/c remount,ro",
    "umount /var/disk/a b/c",
    "umount /var/disk/a b",
    "mount - /var/disk remount,ro",
    "umount /var/disk",
    "mount - / remount,ro",
    "sync",
};

static void expect_in_order(void) {
    size_t at = 0;

    for (size_t i = 0; fake_call(i) && at < ARRAY_SIZE(order); i++)
        at += !strcmp(fake_call(i), order[at]);
    if (at < ARRAY_SIZE(order))
        fail_msg("\"%s\" is missing, or out of order", order[at]);
}

static void run(size_t failing, const char *always, int error) {
    fake_on(files, failing, error);
    if (always)
        fake_always_fails(always, error);
    log_set_fd(2);
    log_set_sink(NULL);
    assert_int_equal(unmount_main(), 0);
    fake_off();
}

static void what_holds_data_goes_newest_first(void **state) {
    (void)state;
    run(FAKE_NOTHING_FAILS, NULL, 0);
    expect_in_order();
    assert_string_equal(fake_said(), "");
    assert_int_equal(fake_count("umount "), 5);
}

/* One that fails once is tried again; without a list nothing can be unmounted, which is said. */
static void whatever_fails_once_all_is_unmounted_and_synced(void **state) {
    size_t len = 0;
    (void)state;
    run(FAKE_NOTHING_FAILS, NULL, 0);
    while (fake_call(len))
        len++;
    for (size_t failing = 0; failing < len; failing++) {
        run(failing, NULL, EIO);
        const char *failed = fake_call(failing);
        bool list = strstr(failed, "/proc/self/mounts") || !strcmp(failed, "realloc");
        assert_int_equal(fake_count("sync"), 2);
        assert_true(fake_count("mount - / remount,ro") == 1);
        if (list)
            assert_non_null(strstr(fake_said(), "/proc/self/mounts"));
        else
            for (size_t i = 0; i < ARRAY_SIZE(order); i++)
                if (!fake_count(order[i]))
                    fail_msg("\"%s\" failed, and \"%s\" was not done", failed, order[i]);
        if (!strncmp(failed, "umount ", 7))
            assert_int_equal(fake_count("umount "), 6);
    }
}

static void what_stays_is_named_and_read_only_and_stops_nothing(void **state) {
    (void)state;
    run(FAKE_NOTHING_FAILS, "umount /var/disk", EBUSY); /* and what is on it */
    assert_non_null(strstr(fake_said(), "init: could not unmount /var/disk: Device or resource busy\n"));
    assert_non_null(strstr(fake_said(), "init: could not unmount /var/disk/a b/c: Device or resource busy\n"));
    assert_int_equal(fake_count("umount /var/merged"), 1);
    assert_int_equal(fake_count("umount /var/net lazily"), 1);
    /* Two rounds: in the first something has changed, in the second nothing has. Then once more, for good. */
    assert_int_equal(fake_count("mount - /var/disk remount,ro"), 3);
    assert_int_equal(fake_count("sync"), 2);
}

static void a_root_that_cannot_be_read_only_is_said(void **state) {
    (void)state;
    run(FAKE_NOTHING_FAILS, "mount - / ", EBUSY);
    assert_string_equal(fake_said(), "init: could not make / read-only: Device or resource busy\n");
    run(FAKE_NOTHING_FAILS, "mount - / ", EINVAL); /* no disk: a ramfs, whose mount alone is read-only */
    assert_string_equal(fake_said(), "");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_holds_data_goes_newest_first),
        cmocka_unit_test(whatever_fails_once_all_is_unmounted_and_synced),
        cmocka_unit_test(what_stays_is_named_and_read_only_and_stops_nothing),
        cmocka_unit_test(a_root_that_cannot_be_read_only_is_said),
    };
    log_init("init", LOG_LEVEL_NOTICE);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
