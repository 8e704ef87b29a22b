/* SPDX-License-Identifier: Apache-2.0 */
#include "memlogd/entry.h"

#include <errno.h>
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/auto.h"
#include "memlogd/client.h"
#include "memlogd/options.h"
#include "memlogd/record.h"

static char json[ENTRY_JSON_MAX(4096)];

static const char *formatted(const char *source, const char *msg, size_t len) {
    const struct ring_entry e = {.time_ns = 1704164645000000006,
                                 .source = source,
                                 .source_len = (uint16_t)strlen(source),
                                 .msg = msg,
                                 .msg_len = (uint32_t)len};
    size_t n = entry_format(&e, json);

    assert_true(n <= ENTRY_JSON_MAX(len));
    json[n] = '\0';
    return json;
}

static void a_line_is_an_object(void **state) {
    (void)state;
    assert_string_equal(
        formatted("s.out", "hi; \"you\"\\\t", 11),
        "{\"time\":\"2024-01-02T03:04:05.000000006Z\",\"source\":\"s.out\",\"msg\":\"hi; \\\"you\\\"\\\\\\t\"}\n");
}

static void every_byte_is_harmless(void **state) {
    static const struct {
        const char *msg, *in_json;
    } cases[] = {
        {"\033[31m", "\\u001b[31m"},
        {"\r\x7f", "\\u000d\\u007f"},
        {"\xc2\x9b", "\\u009b"}, /* CSI in one character */
        {"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"},
        {"\xff.\xc3", "\\ufffd.\\ufffd"},                    /* no UTF-8; cut off */
        {"\xc0\xaf", "\\ufffd\\ufffd"},                      /* overlong */
        {"\xed\xa0\x80", "\\ufffd\\ufffd\\ufffd"},           /* a surrogate */
        {"\xf4\x90\x80\x80", "\\ufffd\\ufffd\\ufffd\\ufffd"} /* beyond Unicode */
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char want[128];
        (void)snprintf(want, sizeof(want), "\"msg\":\"%s\"}\n", cases[i].in_json);
        const char *got = strstr(formatted("s", cases[i].msg, strlen(cases[i].msg)), "\"msg\"");
        assert_non_null(got);
        assert_string_equal(got, want);
    }
}

/* Another implementation reads what we write, and we read what both write. */
static void any_bytes_are_valid_json(void **state) {
    (void)state;
    srandom(7);
    for (int i = 0; i < 3000; i++) {
        char msg[64];
        size_t len = (size_t)(random() % 64);
        for (size_t k = 0; k < len; k++)
            msg[k] = (char)(random() % (i % 2 ? 256 : 0x30));
        json_error_t why;
        json_t *parsed = json_loads(formatted("s", msg, len), JSON_ALLOW_NUL, &why);
        assert_non_null(parsed);
        const json_t *text = json_object_get(parsed, "msg");
        struct ring_entry e;
        assert_int_equal(entry_parse(json, strlen(json), &e), 0);
        assert_int_equal(e.msg_len, json_string_length(text));
        assert_memory_equal(e.msg, json_string_value(text), e.msg_len);
        assert_int_equal(e.time_ns, 1704164645000000006);
        json_decref(parsed);
    }
}

static int parse(const char *text, struct ring_entry *e) {
    static char line[4096];

    (void)snprintf(line, sizeof(line), "%s", text);
    return entry_parse(line, strlen(line), e);
}

static void other_writers_are_understood(void **state) {
    struct ring_entry e;

    (void)state;
    assert_int_equal(
        parse(" { \"msg\" : \"a\\u0026\\u00e9\\ud83d\\ude00\\/\\n\" , \"x\":{\"y\":[1,\"]\"]},\"n\":-1.5e3,"
              "\"source\":\"s\",\"time\":\"2024-01-02T05:04:05.5+02:00\"} ",
              &e),
        0);
    assert_string_equal(e.msg, "a&\xc3\xa9\xf0\x9f\x98\x80/\n");
    assert_string_equal(e.source, "s");
    assert_int_equal(e.time_ns, 1704164645500000000);
}

static void what_is_no_line_is_refused(void **state) {
    static const char *const bad[] = {"",
                                      "{",
                                      "{}",
                                      "[]",
                                      "null",
                                      "{\"time\":\"2024-01-02T03:04:05Z\",\"source\":\"s\"}",
                                      "{\"time\":\"yesterday\",\"source\":\"s\",\"msg\":\"m\"}",
                                      "{\"time\":\"2024-01-02T03:04:05Z\",\"source\":\"s\",\"msg\":\"m\"", /* cut off */
                                      "{\"time\":\"2024-01-02T03:04:05Z\",\"source\":\"s\",\"msg\":\"m\\",
                                      "{\"time\":\"2024-01-02T03:04:05Z\",\"source\":\"s\",\"msg\":\"m\\u12\"}",
                                      "{\"time\":\"2024-01-02T03:04:05Z\",\"source\":\"s\",\"msg\":\"m\"}x",
                                      "{\"time\":\"2024-01-02T03:04:05Z\",\"source\":1,\"msg\":\"m\"}",
                                      "{\"x\":]}",
                                      "{\"x\":"};
    struct ring_entry e;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        assert_int_equal(parse(bad[i], &e), -EINVAL);
}

static void times_go_both_ways(void **state) {
    static const int64_t times[] = {0, -1, 999999999, 1704164645123456789, -86400000000001, 951782400000000000};
    char text[TIME_TEXT_MAX];
    int64_t back;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(times); i++) {
        assert_int_equal(time_format(times[i], 9, text), 30);
        assert_int_equal(time_parse(text, &back), 0);
        assert_int_equal(back, times[i]);
    }
    (void)time_format(1704164645123456789, 0, text);
    assert_string_equal(text, "2024-01-02T03:04:05Z");
}

static void a_reader_goes_on_where_it_was(void **state) {
    struct resume r = {0};

    (void)state;
    assert_false(resume_skip(&r, 10));
    assert_false(resume_skip(&r, 20));
    assert_false(resume_skip(&r, 15)); /* the clock was set back: not skipped */
    r.skipping = true;
    r.last_time = 20;
    assert_true(resume_skip(&r, 10));
    assert_true(resume_skip(&r, 20));
    assert_false(resume_skip(&r, 30));
    r.skipping = true;
    assert_false(resume_skip(&r, 31)); /* the last one is not there any more */
}

static void kmsg_records(void **state) {
    const char text[] = "6,339,5140900,-,caller=T1;NET: \\x09 family;10\n SUBSYSTEM=net\n";
    struct kmsg_record r;

    (void)state;
    assert_int_equal(kmsg_parse(text, sizeof(text) - 1, &r), 0);
    assert_int_equal(r.seq, 339);
    assert_int_equal(r.us, 5140900);
    assert_int_equal(r.text_len, strlen("NET: \\x09 family;10"));
    assert_memory_equal(r.text, "NET: \\x09 family;10", r.text_len);
    for (size_t i = 0; i < 25; i++)
        assert_int_equal(kmsg_parse(text, i, &r), -EINVAL);
    assert_int_equal(kmsg_parse("6,99999999999999999999999,1,-;x", 31, &r), -EINVAL);
}

static void options_with_one_dash_or_two(void **state) {
    bool flag = false, other = true;
    const char *text = NULL;
    int64_t number = 0;
    const struct option_def defs[] = {{"f", OPTION_FLAG, {.flag = &flag}, 0, 0, ""},
                                      {"other", OPTION_FLAG, {.flag = &other}, 0, 0, ""},
                                      {"s", OPTION_STRING, {.string = &text}, 0, 0, ""},
                                      {"socket", OPTION_NUMBER, {.number = &number}, -1, 9, ""},
                                      {0}};
    char *good[] = {(char[]){"p"},  (char[]){"--f"},       (char[]){"-s"},
                    (char[]){"-x"}, (char[]){"-socket=7"}, (char[]){"--other=false"},
                    (char[]){"--"}, (char[]){"-rest"},     NULL};
    char *bad[][3] = {{(char[]){"p"}, (char[]){"-socket=10"}},
                      {(char[]){"p"}, (char[]){"-sock"}},
                      {(char[]){"p"}, (char[]){"-s"}},
                      {(char[]){"p"}, (char[]){"-socket=7x"}},
                      {(char[]){"p"}, (char[]){"-f=perhaps"}}};
    char **rest;
    struct err e = {0};

    (void)state;
    assert_int_equal(options_parse(defs, good, &rest, &e), 0);
    assert_true(flag && !other && number == 7);
    assert_string_equal(text, "-x");
    assert_string_equal(*rest, "-rest");
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        assert_int_equal(options_parse(defs, bad[i], &rest, &e), -EINVAL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_is_an_object),           cmocka_unit_test(every_byte_is_harmless),
        cmocka_unit_test(any_bytes_are_valid_json),      cmocka_unit_test(other_writers_are_understood),
        cmocka_unit_test(what_is_no_line_is_refused),    cmocka_unit_test(times_go_both_ways),
        cmocka_unit_test(a_reader_goes_on_where_it_was), cmocka_unit_test(kmsg_records),
        cmocka_unit_test(options_with_one_dash_or_two),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
