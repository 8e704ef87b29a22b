/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>

#include "lib/buf.h"

static void grows_and_consumes(void **state) {
    (void)state;
    AUTO_BUF struct buf b = BUF_INIT;
    for (int i = 0; i < 1000; i++)
        assert_int_equal(buf_printf(&b, "%04d", i), 0);
    assert_int_equal(b.len, 4000);
    buf_consume(&b, 3996);
    assert_string_equal(b.data, "0999");
    assert_int_equal(buf_puts(&b, "x"), 0);
    assert_string_equal(b.data, "0999x");
}

static void refuses_past_the_bound_and_changes_nothing(void **state) {
    (void)state;
    AUTO_BUF struct buf b = {.max = 4};
    assert_int_equal(buf_puts(&b, "abcd"), 0);
    assert_int_equal(buf_puts(&b, "e"), -E2BIG);
    assert_int_equal(buf_printf(&b, "%d", 5), -E2BIG);
    assert_null(buf_reserve(&b, SIZE_MAX));
    assert_string_equal(b.data, "abcd");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grows_and_consumes),
        cmocka_unit_test(refuses_past_the_bound_and_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
