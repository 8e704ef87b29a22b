/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/array.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

struct member {
    char text[24];
};

static void members_stay_while_it_grows(void **state) {
    struct member *v = NULL;
    size_t cap = 0, grown = 0;

    (void)state;
    for (size_t len = 0; len < 1000; len++) {
        const struct member *before = v;
        assert_int_equal(ARRAY_ROOM(v, len, cap), 0);
        assert_non_null(v);
        assert_true(cap > len);
        grown += v != before;
        if (v)
            memset(v[len].text, (int)len, sizeof(v[len].text));
    }
    assert_true(grown <= 7); /* 16 .. 1024 */
    for (size_t i = 0; v && i < 1000; i++)
        assert_int_equal(v[i].text[23], (char)i);
    free(v);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_stay_while_it_grows),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
