/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/json.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib/fdutil.h"

static json_t *doc;

static int setup(void **state) {
    (void)state;
    doc = json_loads("{\"s\":\"x\",\"b\":true,\"i\":-5,\"a\":[1],\"o\":{},\"n\":null}", 0, NULL);
    return doc ? 0 : -1;
}

static int teardown(void **state) {
    (void)state;
    json_decref(doc);
    return 0;
}

static void each_type_is_read(void **state) {
    const char *s = NULL;
    bool b = false;
    int64_t i = 0;
    json_t *a = NULL, *o = NULL;
    struct err e = {0};
    (void)state;
    assert_int_equal(json_get_string(doc, "$", "s", true, &s, &e), 0);
    assert_string_equal(s, "x");
    assert_int_equal(json_get_bool(doc, "$", "b", true, &b, &e), 0);
    assert_true(b);
    assert_int_equal(json_get_int(doc, "$", "i", true, &i, &e), 0);
    assert_int_equal(i, -5);
    assert_int_equal(json_get_array(doc, "$", "a", true, &a, &e), 0);
    assert_int_equal(json_array_size(a), 1);
    assert_int_equal(json_get_object(doc, "$", "o", true, &o, &e), 0);
    assert_non_null(o);
}

static void absent_and_null_leave_the_value_alone(void **state) {
    const char *s = "default";
    struct err e = {0};
    (void)state;
    assert_int_equal(json_get_string(doc, "$", "none", false, &s, &e), 0);
    assert_int_equal(json_get_string(doc, "$", "n", false, &s, &e), 0);
    assert_string_equal(s, "default");
}

static void what_is_wrong_is_named(void **state) {
    const char *s = NULL;
    bool b = false;
    struct err e = {0};
    (void)state;
    assert_int_equal(json_get_string(doc, "$.mounts[2]", "none", true, &s, &e), -EINVAL);
    assert_string_equal(e.msg, "$.mounts[2].none is missing");
    assert_int_equal(json_get_bool(doc, "$.mounts[2]", "s", false, &b, &e), -EINVAL);
    assert_string_equal(e.msg, "$.mounts[2].s is not true or false");
}

static void a_bad_file_is_told_with_line_and_column(void **state) {
    json_t *out = NULL;
    struct err e = {0};
    char path[] = "/tmp/json_test.XXXXXX";
    (void)state;
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write_full(fd, "{\n \"a\": }", 9), 0);
    (void)close(fd);
    assert_int_equal(json_load_path(path, 100, &out, &e), -EINVAL);
    assert_non_null(strstr(e.msg, "line 2, column 7"));
    assert_int_equal(json_load_path(path, 4, &out, &e), -EFBIG);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(json_load_path(path, 4, &out, &e), -ENOENT);
}

static void any_text_becomes_one_of_its_own(void **state) {
    static const struct {
        const char *text, *json;
    } texts[] = {
        {"", ""},
        {"na\xc3\xafve \xf0\x9f\x98\x80 %FF \\xFF", "na\xc3\xafve \xf0\x9f\x98\x80 %FF \\xFF"},
        {"a\xff", "a\xef\xbf\xbd"
                  "FF"},
        {"a\xfe", "a\xef\xbf\xbd"
                  "FE"},
        {"\xc3\xaf\xc3", "\xc3\xaf\xef\xbf\xbd"
                         "C3"},
        {"\xe2\x82/\xed\xa0\x80", "\xef\xbf\xbd"
                                  "E2\xef\xbf\xbd"
                                  "82/\xef\xbf\xbd"
                                  "ED\xef\xbf\xbd"
                                  "A0\xef\xbf\xbd"
                                  "80"},
        {"a\xef\xbf\xbd"
         "FF",
         "a\xef\xbf\xbd"
         "EF\xef\xbf\xbd"
         "BF\xef\xbf\xbd"
         "BDFF"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        AUTO_JSON json_t *value = json_text(texts[i].text);
        assert_string_equal(json_string_value(value), texts[i].json);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_type_is_read),
        cmocka_unit_test(absent_and_null_leave_the_value_alone),
        cmocka_unit_test(what_is_wrong_is_named),
        cmocka_unit_test(a_bad_file_is_told_with_line_and_column),
        cmocka_unit_test(any_text_becomes_one_of_its_own),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
