/* SPDX-License-Identifier: Apache-2.0 */
/* By the chapters of TOML 1.0.0: strings, numbers, booleans, dates and times. */
#include <math.h>

#include "runtime-config/toml_test.h"

static void basic_strings(void **state) {
    static const struct valid good[] = {
        {"a = \"\"", "{\"a\":\"\"}"},
        {"a = \"\\b\\t\\n\\f\\r\\\"\\\\\"", "{\"a\":\"\\b\\t\\n\\f\\r\\\"\\\\\"}"},
        {"a = \"\\u00E9\\u20ac\\U0001F600\\u0000\"", "{\"a\":\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\\u0000\"}"},
        {"a = \"\\uD7FF\\uE000\\U0010FFFF\"", "{\"a\":\"\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf\"}"},
        {"a = \"a\tb\"", "{\"a\":\"a\\tb\"}"},
    };
    static const struct invalid bad[] = {
        {"a = \"b", "1:5: the string is not closed"},
        {"a = \"b\n\"", "1:5: the string is not closed on its line"},
        {"a = \"b\r\n\"", "1:5: the string is not closed on its line"},
        {"a = \"b\rc\"", "1:7: control character 0x0d"},
        {"a = \"\x1f\"", "1:6: control character 0x1f"},
        {"a = \"\\a\"", "1:6: \\a is not an escape"},
        {"a = \"\\x41\"", "1:6: \\x is not an escape"},
        {"a = \"\\e\"", "1:6: \\e is not an escape"},
        {"a = \"\\ \"", "1:6: a backslash must begin"},
        {"a = \"\\u12\"", "1:6: \\u needs 4 hexadecimal digits"},
        {"a = \"\\U0001F60\"", "1:6: \\U needs 8 hexadecimal digits"},
        {"a = \"x\\uD800\"", "1:7: U+D800 is not a Unicode scalar value"},
        {"a = \"\\uDFFF\"", "1:6: U+DFFF is not"},
        {"a = \"\\U00110000\"", "1:6: U+110000 is not"},
        {"a = \"\\", "1:6: a backslash must begin"},
    };
    (void)state;
    CHECK_VALID(good);
    CHECK_INVALID(bad);
}

static void multi_line_basic_strings(void **state) {
    static const struct valid good[] = {
        {"a = \"\"\"\"\"\"", "{\"a\":\"\"}"},
        {"a = \"\"\"\nRoses\nViolets\"\"\"", "{\"a\":\"Roses\\nViolets\"}"},
        {"a = \"\"\"\r\nRoses\r\n\r\nViolets\"\"\"", "{\"a\":\"Roses\\n\\nViolets\"}"},
        {"a = \"\"\"\n\nb\"\"\"", "{\"a\":\"\\nb\"}"},
        {"a = \"\"\"\nThe quick \\\n\n\n  fox \\\n    jumps.\\ \t\n    \"\"\"", "{\"a\":\"The quick fox jumps.\"}"},
        {"a = \"\"\"x\\\r\n \r\n y\"\"\"", "{\"a\":\"xy\"}"},
        {"a = \"\"\"two quotes: \"\". Enough.\"\"\"", "{\"a\":\"two quotes: \\\"\\\". Enough.\"}"},
        {"a = \"\"\"three: \"\"\\\".\"\"\"", "{\"a\":\"three: \\\"\\\"\\\".\"}"},
        {"a = \"\"\"\"\"\"\"", "{\"a\":\"\\\"\"}"},
        {"a = \"\"\"\"b\"\"\"\"", "{\"a\":\"\\\"b\\\"\"}"},
        {"a = \"\"\"\"\"b\"\"\"\"\"", "{\"a\":\"\\\"\\\"b\\\"\\\"\"}"},
        {"a = \"\"\"\\u00e9\\\\\"\"\"", "{\"a\":\"\xc3\xa9\\\\\"}"},
        {"a = \"\"\"\\\n\"\"\"", "{\"a\":\"\"}"},
    };
    static const struct invalid bad[] = {
        {"a = \"\"\"b\n\"\"", "1:5: the string is not closed"},
        {"a = \"\"\"b", "1:5: the string is not closed"},
        {"a = \"\"\"\"\"\"\"\"\"", "1:13: nothing but a comment may follow"},
        {"a = \"\"\"b\"\"\"\"\"\"", "1:14: nothing but a comment may follow"},
        {"a = \"\"\"\n\\ x\"\"\"", "2:1: a backslash must begin"},
        {"a = \"\"\"\nb\rc\"\"\"", "2:2: control character 0x0d"},
        {"a = \"\"\"\n\n\\q\"\"\"", "3:1: \\q is not an escape"},
    };
    (void)state;
    CHECK_VALID(good);
    CHECK_INVALID(bad);
}

static void literal_strings(void **state) {
    static const struct valid good[] = {
        {"a = ''", "{\"a\":\"\"}"},
        {"a = 'C:\\Users\\n'", "{\"a\":\"C:\\\\Users\\\\n\"}"},
        {"a = '<\\i\\c*\\s*>\t\"'", "{\"a\":\"<\\\\i\\\\c*\\\\s*>\\t\\\"\"}"},
        {"a = ''''''", "{\"a\":\"\"}"},
        {"a = '''I [dw]on't need \\d{2}'''", "{\"a\":\"I [dw]on't need \\\\d{2}\"}"},
        {"a = '''\r\nfirst\\\n  second\n'''", "{\"a\":\"first\\\\\\n  second\\n\"}"},
        {"a = ''''x'''''", "{\"a\":\"'x''\"}"},
    };
    static const struct invalid bad[] = {
        {"a = 'b", "1:5: the string is not closed"},
        {"a = 'b\nc'", "1:5: the string is not closed on its line"},
        {"a = 'it's'", "1:9: nothing but a comment may follow"},
        {"a = '\x01'", "1:6: control character 0x01"},
        {"a = '''\n\x7f'''", "2:1: control character 0x7f"},
        {"a = '''b''", "1:5: the string is not closed"},
        {"a = '''b''''''", "1:14: nothing but a comment may follow"},
    };
    (void)state;
    CHECK_VALID(good);
    CHECK_INVALID(bad);
}

static void integers(void **state) {
    static const struct valid good[] = {
        {"a = [+99, 42, 0, -17, +0, -0]", "{\"a\":[99,42,0,-17,0,0]}"},
        {"a = [1_000, 5_349_221, 53_49_221, 1_2_3]", "{\"a\":[1000,5349221,5349221,123]}"},
        {"a = [0xDEADBEEF, 0xdead_beef, 0x00f, 0o01234567, 0o755, 0b1101_0110, 0b0]",
         "{\"a\":[3735928559,3735928559,15,342391,493,214,0]}"},
        {"a = [9223372036854775807, -9223372036854775808, 0x7fff_ffff_ffff_ffff]",
         "{\"a\":[9223372036854775807,-9223372036854775808,9223372036854775807]}"},
    };
    static const struct invalid bad[] = {
        {"a = 01", "1:5: a decimal number cannot begin with zeros"},
        {"a = -00", "1:5: a decimal number cannot begin with zeros"},
        {"a = 0_1", "1:5: a decimal number cannot begin with zeros"},
        {"a = 1__0", "1:5: \"1__0\" is not a value"},
        {"a = 1_", "1:5: \"1_\" is not a value"},
        {"a = _1", "1:5: \"_1\" is not a value"},
        {"a = +_1", "1:5: \"+_1\" is not a value"},
        {"a = ++1", "1:5: \"++1\" is not a value"},
        {"a = -", "1:5: \"-\" is not a value"},
        {"a = +0x1", "1:5: \"+0x1\" is not a value"},
        {"a = 0x", "1:5: \"0x\" is not a value"},
        {"a = 0x_1", "1:5: \"0x_1\" is not a value"},
        {"a = 0x1_", "1:5: \"0x1_\" is not a value"},
        {"a = 0xg", "1:5: \"0xg\" is not a value"},
        {"a = 0X1", "1:5: \"0X1\" is not a value"},
        {"a = 0o8", "1:5: \"0o8\" is not a value"},
        {"a = 0b2", "1:5: \"0b2\" is not a value"},
        {"a = 1a", "1:5: \"1a\" is not a value"},
        {"a = 9223372036854775808", "1:5: the integer does not fit 64 bits"},
        {"a = -9223372036854775809", "1:5: the integer does not fit 64 bits"},
        {"a = 0x8000_0000_0000_0000", "1:5: the integer does not fit 64 bits"},
    };
    (void)state;
    CHECK_VALID(good);
    CHECK_INVALID(bad);
}

static void floats(void **state) {
    static const struct {
        const char *text;
        double value;
    } good[] = {
        {"+1.0", 1.0},
        {"3.1415", 3.1415},
        {"-0.01", -0.01},
        {"5e+22", 5e22},
        {"1e06", 1e6},
        {"-2E-2", -2e-2},
        {"6.626e-34", 6.626e-34},
        {"0e0", 0.0},
        {"1_0.0_1e1_0", 10.01e10},
        {"224_617.445_991_228", 224617.445991228},
        {"1e-400", 0.0},
    };
    static const struct invalid bad[] = {
        {"a = .7", "1:5: \".7\" is not a value"},
        {"a = 7.", "1:5: \"7.\" is not a value"},
        {"a = 3.e+20", "1:5: \"3.e+20\" is not"},
        {"a = 1e", "1:5: \"1e\" is not"},
        {"a = 1.e", "1:5: \"1.e\" is not"},
        {"a = 1e+", "1:5: \"1e+\" is not"},
        {"a = 1._0", "1:5: \"1._0\" is not"},
        {"a = 1_.0", "1:5: \"1_.0\" is not"},
        {"a = 1.0_", "1:5: \"1.0_\" is not"},
        {"a = 1e1_", "1:5: \"1e1_\" is not"},
        {"a = 1e_1", "1:5: \"1e_1\" is not"},
        {"a = 01.5", "1:5: a decimal number cannot begin"},
        {"a = 1.2.3", "1:5: \"1.2.3\" is not"},
        {"a = 1e2.3", "1:5: \"1e2.3\" is not"},
        {"a = Inf", "1:5: \"Inf\" is not a value (a string needs quotes)"},
        {"a = +-inf", "1:5: \"+-inf\" is not"},
        {"a = infinity", "1:5: \"infinity\" is not"},
        {"a = 0x1.8p1", "1:5: \"0x1.8p1\" is not"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
        struct toml t;
        char text[64];
        int n = snprintf(text, sizeof(text), "a = %s", good[i].text);
        assert_int_equal(toml_parse(&t, "x", text, (size_t)n, NULL), 0);
        const json_t *a = json_object_get(t.root, "a");
        assert_int_equal(toml_type(&t, a), TOML_FLOAT);
        if (fabs(json_real_value(a) - good[i].value) > 1e-15 * fabs(good[i].value))
            fail_msg("%s is %g", text, json_real_value(a));
        toml_free(&t);
    }
    CHECK_INVALID(bad);
}

static void booleans_and_missing_values(void **state) {
    static const struct valid good[] = {{"a = true\nb = false", "{\"a\":true,\"b\":false}"}};
    static const struct invalid bad[] = {
        {"a = True", "1:5: \"True\" is not a value"},
        {"a = yes", "1:5: \"yes\" is not a value (a string needs quotes)"},
        {"a = truer", "1:5: \"truer\" is not"},
        {"a =", "1:4: a value is missing"},
        {"a = # 1", "1:5: a value is missing"},
        {"a =\n1", "1:4: a value is missing"},
        {"a = /var/log", "1:5: a value cannot begin with '/'"},
        {"a = \xc3\xa9", "1:5: this is not a value"},
    };
    (void)state;
    CHECK_VALID(good);
    CHECK_INVALID(bad);
}

static void what_is_no_string_is_known(void **state) {
    static const struct {
        const char *text, *value;
        enum toml_type type;
    } cases[] = {
        {"1979-05-27T07:32:00Z", "1979-05-27T07:32:00Z", TOML_OFFSET_DATETIME},
        {"1979-05-27t00:32:00.999999-07:00", "1979-05-27t00:32:00.999999-07:00", TOML_OFFSET_DATETIME},
        {"1979-05-27 07:32:00z", "1979-05-27 07:32:00z", TOML_OFFSET_DATETIME},
        {"1979-05-27 07:32:00+23:59 # x", "1979-05-27 07:32:00+23:59", TOML_OFFSET_DATETIME},
        {"1979-05-27T07:32:00", "1979-05-27T07:32:00", TOML_LOCAL_DATETIME},
        {"2016-12-31 23:59:60.5", "2016-12-31 23:59:60.5", TOML_LOCAL_DATETIME},
        {"1979-05-27", "1979-05-27", TOML_LOCAL_DATE},
        {"1979-05-27 # x", "1979-05-27", TOML_LOCAL_DATE},
        {"2000-02-29", "2000-02-29", TOML_LOCAL_DATE},
        {"0000-01-01", "0000-01-01", TOML_LOCAL_DATE},
        {"00:32:00.999999999999", "00:32:00.999999999999", TOML_LOCAL_TIME},
        {"07:32:00", "07:32:00", TOML_LOCAL_TIME},
        {"inf", "inf", TOML_FLOAT},
        {"+inf", "+inf", TOML_FLOAT},
        {"-nan", "-nan", TOML_FLOAT},
        {"-1e400", "-inf", TOML_FLOAT},
        {"\"1979-05-27\"", "1979-05-27", TOML_STRING},
        {"'inf'", "inf", TOML_STRING},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct err e = {0};
        struct toml t;
        char text[80];
        int n = snprintf(text, sizeof(text), "a = %s", cases[i].text);
        if (toml_parse(&t, "x", text, (size_t)n, &e) < 0)
            fail_msg("%s is refused: %s", text, e.msg);
        const json_t *a = json_object_get(t.root, "a");
        assert_string_equal(json_string_value(a), cases[i].value);
        assert_int_equal(toml_type(&t, a), cases[i].type);
        toml_free(&t);
    }
}

static void wrong_dates(void **state) {
    static const char *const cases[] = {
        "1979-13-01",
        "1979-00-01",
        "1979-04-31",
        "1979-02-29",
        "1900-02-29",
        "1979-05-00",
        "1979-5-27",
        "79-05-27",
        "1979-05-27T",
        "1979-05-27T07:32",
        "1979-05-27T24:00:00",
        "1979-05-27T07:60:00",
        "1979-05-27T07:32:61",
        "1979-05-27T07:32:00.",
        "1979-05-27T7:32:00",
        "1979-05-27_07:32:00",
        "1979-05-27 07:32",
        "1979-05-27T07:32:00+1:00",
        "1979-05-27T07:32:00+24:00",
        "1979-05-27T07:32:00-07:60",
        "1979-05-27T07:32:00Zx",
        "1979-05-27Z",
        "07:32",
        "07:32:00Z",
        "7:32:00",
        "25:00:00",
        "19790-05-27",
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char text[64], want[96];
        (void)snprintf(text, sizeof(text), "a = %s", cases[i]);
        (void)snprintf(want, sizeof(want), "1:5: \"%s\" is not a date or time that there is", cases[i]);
        check_invalid(&(struct invalid){text, want}, 1);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(basic_strings),
        cmocka_unit_test(multi_line_basic_strings),
        cmocka_unit_test(literal_strings),
        cmocka_unit_test(integers),
        cmocka_unit_test(floats),
        cmocka_unit_test(booleans_and_missing_values),
        cmocka_unit_test(what_is_no_string_is_known),
        cmocka_unit_test(wrong_dates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
