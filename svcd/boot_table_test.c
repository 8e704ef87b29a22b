/* SPDX-License-Identifier: Apache-2.0 */
#include "svcd/boot_table.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib/json.h"

static struct buf out;

static int table(const char *stages, struct err *e) {
    AUTO_BUF struct buf text = BUF_INIT;

    assert_int_equal(buf_printf(&text, "{\"version\":1,\"stages\":[%s]}", stages), 0);
    AUTO_JSON json_t *doc = json_loads(text.data, 0, NULL);
    assert_non_null(doc);
    buf_free(&out);
    return boot_table(doc, &out, e);
}

static unsigned times(const char *what) {
    unsigned n = 0;

    for (const char *p = out.data; (p = strstr(p, what)); p += strlen(what))
        n++;
    return n;
}

static int teardown(void **state) {
    (void)state;
    buf_free(&out);
    return 0;
}

#define STAGE(name, parent, start, end)                                                                                \
    "{\"stage\":\"" name "\",\"parent\":\"" parent "\",\"start_ns\":" start ",\"end_ns\":" end "}"
#define FAILED(name, parent, start, end, why)                                                                          \
    "{\"stage\":\"" name "\",\"parent\":\"" parent "\",\"start_ns\":" start ",\"end_ns\":" end                         \
    ",\"ok\":false,\"detail\":\"" why "\"}"

static void stages_are_indented_under_their_parents_in_order(void **state) {
    struct err e = {0};
    (void)state;
    assert_int_equal(table(STAGE("010-onboot", "init.d", "2000000000", "2500000000") "," STAGE(
                               "init.d", "", "1500000000",
                               "4000000000") "," STAGE("kernel", "", "0",
                                                       "1250000000") "," FAILED("onboot/000-dhcpcd", "010-onboot",
                                                                                "2000000000", "2400000000", "no link"),
                           &e),
                     0);
    assert_string_equal(out.data,
                        "STAGE                                      START s    TOOK s     CPU s\n"
                        "kernel                                       0.000     1.250         -\n"
                        "init.d                                       1.500     2.500         -\n"
                        "  010-onboot                                 2.000     0.500         -\n"
                        "    onboot/000-dhcpcd                        2.000     0.400         -  FAILED no link\n");
}

static void a_stage_tells_its_processor_time(void **state) {
    (void)state;
    assert_int_equal(
        table("{\"stage\":\"a\",\"start_ns\":0,\"end_ns\":1000000000,\"cpu_ns\":250000000,\"detail\":\"d\"}", NULL), 0);
    assert_non_null(strstr(out.data, "     0.000     1.000     0.250  d\n"));
}

/* Rows are in another order than the timeline: lines have to find them. */
static void the_picture_has_what_the_timeline_has(void **state) {
    AUTO_BUF struct buf picture = BUF_INIT;
    AUTO_JSON json_t *doc =
        json_loads("{\"stages\":[" STAGE("kernel", "", "0", "1000000000") "," STAGE(
                       "c", "p", "1000000000",
                       "2000000000") ","
                                     "{\"stage\":\"d\",\"parent\":\"p\",\"start_ns\":2000000000,\"end_ns\":4000000000,"
                                     "\"cpu_ns\":1000000000,"
                                     "\"after\":[\"c\",7,\"nobody\"]}," STAGE("p", "", "1000000000", "4000000000") "]}",
                   0, NULL);
    struct err e = {0};
    (void)state;
    assert_int_equal(boot_chart(doc, &picture, &e), 0);
    assert_non_null(strstr(picture.data, "M446.0 88.0V108.0H446.0"));  /* kernel, p */
    assert_non_null(strstr(picture.data, "M602.0 128.0V148.0H602.0")); /* c, d */
    assert_non_null(strstr(picture.data, "<title>d: 2.000 s, from 2.000 s on, CPU 1.000 s</title>"));
}

/* What was cut off, or belongs to a step that has not ended yet. */
static void a_stage_without_its_parent_is_shown(void **state) {
    struct err e = {0};
    (void)state;
    assert_int_equal(table(STAGE("child", "nobody", "1", "2"), &e), 0);
    assert_non_null(strstr(out.data, "\nchild "));
}

static void circles_are_shown_once(void **state) {
    struct err e = {0};
    (void)state;
    assert_int_equal(
        table(STAGE("self", "self", "1", "2") "," STAGE("aa", "bb", "3", "4") "," STAGE("bb", "aa", "5", "6") "," STAGE(
                  "twin", "twin", "7", "8") "," STAGE("twin", "twin", "9", "10"),
              &e),
        0);
    assert_int_equal(times("self "), 1);
    assert_int_equal(times("aa "), 1);
    assert_int_equal(times("bb "), 1);
    assert_int_equal(times("twin "), 2);
}

static void what_is_nested_too_deeply_is_shown_all_the_same(void **state) {
    AUTO_BUF struct buf stages = BUF_INIT;
    char name[16];
    (void)state;
    for (int i = 0; i < 40; i++)
        assert_int_equal(buf_printf(&stages, "%s{\"stage\":\"n%d.\",\"parent\":\"n%d.\",\"start_ns\":%d,\"end_ns\":%d}",
                                    i ? "," : "", i, i - 1, i, i),
                         0);
    assert_int_equal(table(stages.data, NULL), 0);
    for (int i = 0; i < 40; i++) {
        (void)snprintf(name, sizeof(name), "n%d.", i);
        assert_int_equal(times(name), 1);
    }
}

/* A container's words go to a terminal. */
static void names_do_not_speak_to_the_terminal(void **state) {
    struct err e = {0};
    (void)state;
    assert_int_equal(table(FAILED("a\\u001b[2Jb", "", "1", "2", "x\\ny\\r\\u009bz\\u007f\\u00e9"), &e), 0);
    for (const char *p = out.data; *p; p++)
        assert_true(*p == '\n' || ((unsigned char)*p >= ' ' && *p != 0x7f));
    assert_null(strstr(out.data, "\xc2\x9b"));
    assert_non_null(strstr(out.data, "a?[2Jb"));
    assert_non_null(strstr(out.data, "x?y?"));
    assert_int_equal(times("\n"), 2);
}

static void a_long_name_and_odd_times_do_no_harm(void **state) {
    AUTO_BUF struct buf stages = BUF_INIT;
    (void)state;
    assert_int_equal(buf_printf(&stages,
                                "{\"stage\":\"%0300d\",\"start_ns\":-9223372036854775807,"
                                "\"end_ns\":9223372036854775807}",
                                0),
                     0);
    assert_int_equal(table(stages.data, NULL), 0);
    assert_int_equal(times("\n"), 2);
}

static void what_is_wrong_is_named(void **state) {
    static const char *const cases[][2] = {
        {"5", "$.stages[0].stage is missing"},
        {"{\"stage\":7}", "$.stages[0].stage is not a string"},
        {"{\"stage\":\"a\",\"start_ns\":1,\"end_ns\":2,\"cpu_ns\":\"much\"}", "$.stages[0].cpu_ns is not an integer"},
        {"{\"stage\":\"a\",\"start_ns\":1,\"end_ns\":2,\"after\":7}", "$.stages[0].after is not an array"},
        {STAGE("a", "", "1", "2") ",{\"stage\":\"b\",\"start_ns\":\"1\"}", "$.stages[1].start_ns is not an integer"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct err e = {0};
        assert_int_equal(table(cases[i][0], &e), -EINVAL);
        if (!strstr(e.msg, cases[i][1]))
            fail_msg("\"%s\" does not say \"%s\"", e.msg, cases[i][1]);
    }
    AUTO_JSON json_t *none = json_array();
    assert_int_equal(boot_table(none, &out, NULL), -EINVAL);
}

#define T(name) cmocka_unit_test_teardown(name, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        T(stages_are_indented_under_their_parents_in_order),
        T(a_stage_tells_its_processor_time),
        T(the_picture_has_what_the_timeline_has),
        T(a_stage_without_its_parent_is_shown),
        T(circles_are_shown_once),
        T(what_is_nested_too_deeply_is_shown_all_the_same),
        T(names_do_not_speak_to_the_terminal),
        T(a_long_name_and_odd_times_do_no_harm),
        T(what_is_wrong_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
