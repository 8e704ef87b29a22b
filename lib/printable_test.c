/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/printable.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void assert_lines(const char *text, size_t len, const char *expected) {
    char copy[64];

    memcpy(copy, text, len);
    make_lines_printable(copy, len);
    assert_memory_equal(copy, expected, len);
    assert_int_equal(strlen(expected), len);
}

#define LINES(text, expected) assert_lines(text, sizeof(text) - 1, expected)

static void test_text_stays(void **state) {
    (void)state;
    LINES("one\ttwo\r\n", "one\ttwo\r\n");
    LINES("\xc3\xa4 \xe2\x82\xac \xf0\x9f\x90\xb3", "\xc3\xa4 \xe2\x82\xac \xf0\x9f\x90\xb3");
}

static void test_control_characters_go(void **state) {
    (void)state;
    LINES("\x1b[2J\x7f\x07", "?[2J??");
    LINES("a\0b", "a?b");
    LINES("\xc2\x9b"
          "2J",
          "??2J");
}

/* Some terminals take the byte 0x9b alone for the beginning of a command. */
static void test_bytes_of_no_character_go(void **state) {
    (void)state;
    LINES("\x9b"
          "2J",
          "?2J");
    LINES("\xe2\x9b"
          "2J",
          "??2J");
    LINES("\xff\xfe\xc0\xaf", "????");
    LINES("cut \xe2\x82", "cut ??");
}

static void test_of_a_name_nothing_moves_the_cursor(void **state) {
    AUTO_BUF struct buf b = BUF_INIT;

    (void)state;
    assert_int_equal(buf_printf(&b, "\n: a\nb\tc"), 0);
    make_printable(&b, 3);
    assert_string_equal(b.data, "\n: a?b?c");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text_stays),
        cmocka_unit_test(test_control_characters_go),
        cmocka_unit_test(test_bytes_of_no_character_go),
        cmocka_unit_test(test_of_a_name_nothing_moves_the_cursor),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
