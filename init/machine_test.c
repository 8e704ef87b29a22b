/* SPDX-License-Identifier: Apache-2.0 */
#include "init/machine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib/auto.h"

/* A system that records what is asked of it. */
struct fake {
    unsigned nothing_in; /* bit per state that has nothing to wait for */
    char entered[128];
    unsigned deadline;
    int late; /* the state reported late, or -1 */
};

static bool fake_enter(void *sys, enum state s) {
    struct fake *f = sys;
    size_t len = strlen(f->entered);
    (void)snprintf(f->entered + len, sizeof(f->entered) - len, "%s ", machine_state_name(s));
    return !(f->nothing_in & (1u << s));
}

static void fake_deadline(void *sys, unsigned ms) {
    ((struct fake *)sys)->deadline = ms;
}

static void fake_late(void *sys, enum state s) {
    ((struct fake *)sys)->late = (int)s;
}

static const struct machine_ops ops = {fake_enter, fake_deadline, fake_late};

/* Where every state leads with every event. "" = it stays. */
static const char *const expected[STATES][EVENTS] = {
    [STATE_START] = {"devices", "", "", ""},
    [STATE_DEVICES] = {"", "rescue", "other devices", "shutdown.d"},
    [STATE_OTHERS] = {"", "rescue", "rescue", "shutdown.d"},
    [STATE_RESCUE] = {"", "init.d", "", "shutdown.d"},
    [STATE_INITD] = {"", "running", "", "shutdown.d"},
    [STATE_RUNNING] = {"", "", "", "shutdown.d"},
    [STATE_HOOKS] = {"", "services", "services", ""},
    [STATE_SERVICES] = {"", "terminate", "terminate", ""},
    [STATE_TERM] = {"", "unmount", "kill", ""},
    [STATE_KILL] = {"", "unmount", "unmount", ""},
    [STATE_UNMOUNT] = {"", "end", "end", ""},
    [STATE_END] = {"", "", "", ""},
};

static void every_state_with_every_event(void **state) {
    (void)state;
    for (int s = 0; s < STATES; s++)
        for (int ev = 0; ev < EVENTS; ev++) {
            struct fake f = {.late = -1};
            struct machine m = {(enum state)s, &ops, &f};
            machine_event(&m, (enum event)ev);
            if (*expected[s][ev])
                assert_string_equal(machine_state_name(m.state), expected[s][ev]);
            else
                assert_int_equal(m.state, s);
            assert_int_equal(f.late, ev == EVENT_TIMEOUT && *expected[s][ev] ? s : -1);
        }
}

static void an_empty_system_runs_through_without_waiting(void **state) {
    struct fake f = {.nothing_in = 1u << STATE_DEVICES | 1u << STATE_RESCUE | 1u << STATE_INITD};
    struct machine m = {STATE_START, &ops, &f};
    (void)state;
    machine_event(&m, EVENT_BEGIN);
    assert_string_equal(f.entered, "devices rescue init.d running ");
    f.nothing_in = ~0u;
    f.entered[0] = '\0';
    machine_event(&m, EVENT_SHUTDOWN);
    assert_string_equal(f.entered, "shutdown.d services terminate unmount end ");
}

static void a_stubborn_process_is_killed_and_then_left(void **state) {
    struct fake f = {0};
    struct machine m = {STATE_SERVICES, &ops, &f};
    (void)state;
    machine_event(&m, EVENT_DONE);
    machine_event(&m, EVENT_TIMEOUT);
    assert_int_equal(m.state, STATE_KILL);
    assert_true(f.deadline > 0);
    machine_event(&m, EVENT_TIMEOUT);
    assert_int_equal(m.state, STATE_UNMOUNT);
    assert_true(f.deadline > 0);
}

static void every_wait_of_a_shutdown_has_a_deadline(void **state) {
    (void)state;
    for (int s = STATE_RUNNING; s < STATE_UNMOUNT; s++) {
        struct fake f = {0};
        struct machine m = {(enum state)s, &ops, &f};
        machine_event(&m, s == STATE_RUNNING ? EVENT_SHUTDOWN : EVENT_DONE);
        assert_true(f.deadline > 0);
    }
}

/* svcd's own deadlines add up to 20 s (doc/joints.md): who has less patience would kill services that were stopping. */
static void the_services_get_the_time_that_svcd_may_need(void **state) {
    struct fake f = {0};
    struct machine m = {STATE_HOOKS, &ops, &f};
    (void)state;
    machine_event(&m, EVENT_DONE);
    assert_int_equal(m.state, STATE_SERVICES);
    assert_true(f.deadline > 10000 + 5000 + 5000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_state_with_every_event),
        cmocka_unit_test(an_empty_system_runs_through_without_waiting),
        cmocka_unit_test(a_stubborn_process_is_killed_and_then_left),
        cmocka_unit_test(the_services_get_the_time_that_svcd_may_need),
        cmocka_unit_test(every_wait_of_a_shutdown_has_a_deadline),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
