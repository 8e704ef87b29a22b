/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/capture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static int sh(const char *script, struct buf *out, struct err *e) {
    return capture((const char *const[]){"sh", "-c", script, NULL}, true, out, e);
}

static void output_is_appended_without_its_last_newlines(void **state) {
    AUTO_BUF struct buf out = BUF_INIT;

    (void)state;
    assert_int_equal(buf_puts(&out, "before "), 0);
    assert_int_equal(sh("printf 'one\\ntwo\\n\\n'; echo not this >&2", &out, NULL), 0);
    assert_string_equal(out.data, "before one\ntwo");
}

static void the_status_tells_how_it_ended(void **state) {
    AUTO_BUF struct buf out = BUF_INIT;
    struct err e = {0};

    (void)state;
    assert_int_equal(sh("echo x; exit 7", &out, &e), 7);
    assert_string_equal(out.data, "x");
    assert_int_equal(sh("kill -9 $$", NULL, &e), 128 + 9);
    assert_int_equal(capture((const char *const[]){"/no/such/program", NULL}, true, NULL, &e), -ENOENT);
    assert_non_null(strstr(e.msg, "/no/such/program"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(output_is_appended_without_its_last_newlines),
        cmocka_unit_test(the_status_tells_how_it_ended),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
