/* SPDX-License-Identifier: Apache-2.0 */
#include "rungetty/getty.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const char *plan(const char *name, const char *options, bool insecure) {
    static char out[256];
    struct cmdline_console c = {"", ""};
    struct getty g;
    size_t used = 0;

    (void)snprintf(c.name, sizeof(c.name), "%s", name);
    (void)snprintf(c.options, sizeof(c.options), "%s", options);
    getty_plan(&g, &c, insecure);
    for (const char **arg = g.argv; *arg; arg++)
        used += (size_t)snprintf(out + used, sizeof(out) - used, "%s%s", arg == g.argv ? "" : " ", *arg);
    return out;
}

static void serial_lines_are_local_with_their_speed(void **state) {
    (void)state;
    assert_string_equal(plan("ttyS0", "9600n8", false), "/sbin/agetty -L ttyS0 9600 vt100");
    assert_string_equal(plan("ttyS1", "", false), "/sbin/agetty -L ttyS1 115200 vt100");
    assert_string_equal(plan("ttyAMA0", "115200", false), "/sbin/agetty -L ttyAMA0 115200 vt100");
    assert_string_equal(plan("ttyUSB0", "n8", false), "/sbin/agetty -L ttyUSB0 115200 vt100");
}

static void other_consoles_have_their_defaults(void **state) {
    (void)state;
    assert_string_equal(plan("tty0", "", false), "/sbin/agetty tty0 38400 linux");
    assert_string_equal(plan("hvc0", "", false), "/sbin/agetty hvc0 115200 linux");
}

static void insecure_logs_root_in(void **state) {
    (void)state;
    assert_string_equal(plan("ttyS0", "", true), "/sbin/agetty -a root -L ttyS0 115200 vt100");
}

static void securetty_is_read_line_by_line(void **state) {
    static const char text[] = "# ttyS9\nconsole\ntty1\t\nttyS0 \nttyS10\nhvc0";
    (void)state;
    assert_true(securetty_has(text, "console"));
    assert_true(securetty_has(text, "tty1"));
    assert_true(securetty_has(text, "ttyS0"));
    assert_true(securetty_has(text, "hvc0"));
    assert_false(securetty_has(text, "ttyS1"));
    assert_false(securetty_has(text, "ttyS9"));
    assert_false(securetty_has(text, "tty"));
    assert_false(securetty_has("", "tty1"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(serial_lines_are_local_with_their_speed),
        cmocka_unit_test(other_consoles_have_their_defaults),
        cmocka_unit_test(insecure_logs_root_in),
        cmocka_unit_test(securetty_is_read_line_by_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
