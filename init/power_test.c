/* SPDX-License-Identifier: Apache-2.0 */
/* What comes from outside: the signals PID 1 answers, and the kernel's uevents. */
#include "init/power.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/reboot.h>

#include <cmocka.h>

#include "init/hotplug.h"

static void signals_are_busyboxs(void **state) {
    (void)state;
    assert_int_equal(power_action(SIGUSR1), (int)RB_HALT_SYSTEM);
    assert_int_equal(power_action(SIGUSR2), (int)RB_POWER_OFF);
    assert_int_equal(power_action(SIGTERM), (int)RB_AUTOBOOT);
    assert_int_equal(power_action(SIGINT), (int)RB_AUTOBOOT);
    assert_int_equal(power_action(SIGHUP), 0);
}

static void every_word_asks_for_itself(void **state) {
    (void)state;
    assert_int_equal(power_action(power_signal("halt")), (int)RB_HALT_SYSTEM);
    assert_int_equal(power_action(power_signal("poweroff")), (int)RB_POWER_OFF);
    assert_int_equal(power_action(power_signal("reboot")), (int)RB_AUTOBOOT);
    assert_int_equal(power_signal("restart"), 0);
}

static void every_action_has_its_worker(void **state) {
    (void)state;
    assert_string_equal(power_worker((int)RB_HALT_SYSTEM), "init-halt");
    assert_string_equal(power_worker(RB_POWER_OFF), "init-poweroff");
    assert_string_equal(power_worker(RB_AUTOBOOT), "init-reboot");
    for (const int *action = (const int[]){(int)RB_HALT_SYSTEM, RB_POWER_OFF, RB_AUTOBOOT, 0}; *action; action++)
        assert_true(power_is_worker(power_worker(*action)));
    assert_false(power_is_worker("init"));
    assert_false(power_is_worker("poweroff"));
}

static void only_added_devices_with_an_alias_count(void **state) {
    static const char add[] = "add@/devices/x\0ACTION=add\0MODALIAS=virtio:d1v2\0SEQNUM=5";
    static const char bare[] = "add@/devices/x\0ACTION=add\0SEQNUM=5";
    static const char gone[] = "remove@/devices/x\0ACTION=remove\0MODALIAS=virtio:d1v2";
    (void)state;
    assert_true(uevent_wants_module(add, sizeof(add)));
    assert_true(uevent_wants_module(add, sizeof(add) - 1)); /* without its last NUL */
    assert_false(uevent_wants_module(bare, sizeof(bare)));
    assert_false(uevent_wants_module(gone, sizeof(gone)));
    assert_false(uevent_wants_module("", 0));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signals_are_busyboxs),
        cmocka_unit_test(every_word_asks_for_itself),
        cmocka_unit_test(every_action_has_its_worker),
        cmocka_unit_test(only_added_devices_with_an_alias_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
