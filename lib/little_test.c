/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/little.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void the_lowest_byte_comes_first(void **state) {
    unsigned char bytes[12];

    (void)state;
    memset(bytes, 0xaa, sizeof(bytes));
    little_put(bytes + 1, 0xfedcba9876543210, 8);
    assert_memory_equal(bytes, "\xaa\x10\x32\x54\x76\x98\xba\xdc\xfe\xaa\xaa\xaa", 12);
    assert_int_equal(little_get(bytes + 1, 8), 0xfedcba9876543210);
    assert_int_equal(little_get(bytes + 1, 2), 0x3210);
    little_put(bytes, 0x12345, 2);
    assert_memory_equal(bytes, "\x45\x23\x32", 3);
    assert_int_equal(little_get(bytes, 0), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_lowest_byte_comes_first),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
