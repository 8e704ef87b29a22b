/* SPDX-License-Identifier: Apache-2.0 */
#include "rungetty/getty.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct getty g;

static const char *plan(bool insecure, const char *notice) {
    static char out[8192];
    size_t used = 0;

    getty_plan(&g, "ttyS0", "9600n8", insecure, notice);
    for (const char **arg = g.argv; *arg; arg++)
        used += (size_t)snprintf(out + used, sizeof(out) - used, "%s%s", arg == g.argv ? "" : " ", *arg);
    return out;
}

static void insecure_logs_root_in_and_nothing_else_does(void **state) {
    (void)state;
    assert_string_equal(plan(true, ""), "/sbin/agetty -a root -L ttyS0 9600 vt100");
    assert_string_equal(plan(false, ""), "/sbin/agetty -L ttyS0 9600 vt100");
}

static void a_notice_is_one_argument_that_agetty_reads_back(void **state) {
    (void)state;
    assert_string_equal(plan(false, "two\nlines\n"),
                        "/sbin/agetty -L -I two\\015\\012lines\\015\\012 ttyS0 9600 vt100");
    assert_string_equal(plan(false, "\\033[2J \x1b[2J \xc3\xa4"),
                        "/sbin/agetty -L -I ?033[2J ?[2J ?? ttyS0 9600 vt100");
    assert_string_equal(g.argv[3], "?033[2J ?[2J ??");
}

static void a_long_notice_is_cut(void **state) {
    char text[2 * GETTY_NOTICE_MAX];

    (void)state;
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    (void)plan(false, text);
    assert_int_equal(strlen(g.notice), GETTY_NOTICE_MAX);
    memset(text, '\n', sizeof(text) - 1);
    (void)plan(false, text);
    assert_true(strlen(g.notice) < sizeof(g.notice));
    assert_int_equal(strlen(g.notice) % 8, 0); /* no line end is cut in two */
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
        cmocka_unit_test(insecure_logs_root_in_and_nothing_else_does),
        cmocka_unit_test(a_notice_is_one_argument_that_agetty_reads_back),
        cmocka_unit_test(a_long_notice_is_cut),
        cmocka_unit_test(securetty_is_read_line_by_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
