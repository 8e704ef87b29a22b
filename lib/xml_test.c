/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/xml.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void assert_text(const char *s, size_t max, const char *expected) {
    AUTO_BUF struct buf out = BUF_INIT;

    assert_int_equal(buf_puts(&out, ""), 0);
    assert_int_equal(xml_text(&out, s, max), 0);
    assert_string_equal(out.data, expected);
}

static void assert_cut(const char *s, size_t fits, const char *expected) {
    AUTO_BUF struct buf out = BUF_INIT;

    assert_int_equal(buf_puts(&out, ""), 0);
    assert_int_equal(xml_text_cut(&out, s, fits), 0);
    assert_string_equal(out.data, expected);
}

static void markup_is_text(void **state) {
    (void)state;
    assert_text("<a b=\"c\">&d</a>", SIZE_MAX, "&lt;a b=&quot;c&quot;&gt;&amp;d&lt;/a&gt;");
}

static void characters_stay_in_every_script(void **state) {
    static const char text[] = "z\xc3\xa4hler \xce\xa9 \xe4\xb8\xad \xef\xbf\xbd \xf0\x9f\x90\xb3";

    (void)state;
    assert_text(text, SIZE_MAX, text);
}

/* Char of XML 1.0, less the control characters that it has. */
static void what_may_not_be_there_is_a_question_mark(void **state) {
    (void)state;
    assert_text("\x01\x1b[2J\x7f\t\n", SIZE_MAX, "??[2J???");
    assert_text("\xc2\x9b"
                "2J",
                SIZE_MAX, "?2J");
    assert_text("\xef\xbf\xbe\xef\xbf\xbf", SIZE_MAX, "??");
    assert_text("\xff\xc0\xaf \xed\xa0\x80 \xf4\x90\x80\x80", SIZE_MAX,
                "??? ??? ????"); /* overlong, surrogate, too far */
    assert_text("cut \xe4\xb8", SIZE_MAX, "cut ??");
}

static void no_more_bytes_are_read_than_there_are(void **state) {
    (void)state;
    assert_text("abc", 2, "ab");
    assert_text("a\xe4\xb8\xad", 3, "a??");
}

static void of_a_long_text_the_beginning_is_there(void **state) {
    (void)state;
    assert_cut("abcdef", 6, "abcdef");
    assert_cut("abcdefg", 6, "abc...");
    assert_cut("abcdefg", 2, "..");
    assert_cut("<<<<", 4, "&lt;&lt;&lt;&lt;");
}

/* A letter is as wide as another, however many bytes it has; those of many scripts take the place of two. */
static void letters_are_counted_and_not_bytes(void **state) {
    (void)state;
    assert_int_equal(xml_letters("\xc3\xa4\xc3\xb6\xc3\xbc\xff"), 4);
    assert_int_equal(xml_letters("\xe4\xb8\xad\xf0\x9f\x90\xb3"), 4);
    assert_cut("\xc3\xa4\xc3\xb6\xc3\xbc\xc3\x9f", 4, "\xc3\xa4\xc3\xb6\xc3\xbc\xc3\x9f");
    assert_cut("\xc3\xa4\xc3\xb6\xc3\xbc\xc3\x9f\xc3\xa4", 4, "\xc3\xa4...");
    assert_cut("\xe4\xb8\xad\xe4\xb8\xad\xe4\xb8\xad", 6, "\xe4\xb8\xad\xe4\xb8\xad\xe4\xb8\xad");
    assert_cut("\xe4\xb8\xad\xe4\xb8\xad\xe4\xb8\xad\xe4\xb8\xad", 6, "\xe4\xb8\xad...");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(markup_is_text),
        cmocka_unit_test(characters_stay_in_every_script),
        cmocka_unit_test(what_may_not_be_there_is_a_question_mark),
        cmocka_unit_test(no_more_bytes_are_read_than_there_are),
        cmocka_unit_test(of_a_long_text_the_beginning_is_there),
        cmocka_unit_test(letters_are_counted_and_not_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
