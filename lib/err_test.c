/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "lib/err.h"

static void adds_errno_text(void **state) {
    (void)state;
    struct err e = {0};
    assert_int_equal(err_errno(&e, -ENOENT, "could not open %s", "x"), -ENOENT);
    assert_string_equal(e.msg, "could not open x: No such file or directory");
}

static void wraps_and_keeps_the_code(void **state) {
    (void)state;
    struct err e = {0};
    (void)err_set(&e, -EINVAL, "no key");
    assert_int_equal(err_wrap(&e, -EIO, "bundle %s", "a"), -EINVAL);
    assert_string_equal(e.msg, "bundle a: no key");
}

static void adds_nothing_to_what_is_whole(void **state) {
    (void)state;
    struct err e = {0};
    assert_int_equal(err_seal(&e, err_set(&e, -ENOSPC, "could not write x")), -ENOSPC);
    assert_int_equal(err_wrap(&e, -EIO, "image y"), -ENOSPC);
    assert_string_equal(e.msg, "could not write x");
    (void)err_set(&e, -EINVAL, "no key"); /* the next one is another one */
    assert_int_equal(err_wrap(&e, -EIO, "bundle a"), -EINVAL);
    assert_string_equal(e.msg, "bundle a: no key");
    assert_int_equal(err_seal(NULL, -EIO), -EIO);
}

static void marks_what_was_cut(void **state) {
    (void)state;
    struct err e = {0};
    (void)err_set(&e, -EINVAL, "%0900d", 7);
    assert_int_equal(strlen(e.msg), ERR_MSG_MAX - 1);
    assert_string_equal(e.msg + ERR_MSG_MAX - 4, "...");
}

static void works_without_a_struct(void **state) {
    (void)state;
    assert_int_equal(err_set(NULL, -EIO, "x"), -EIO);
    assert_int_equal(err_wrap(NULL, -EIO, "x"), -EIO);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(adds_errno_text),
        cmocka_unit_test(wraps_and_keeps_the_code),
        cmocka_unit_test(adds_nothing_to_what_is_whole),
        cmocka_unit_test(marks_what_was_cut),
        cmocka_unit_test(works_without_a_struct),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
