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
#include "lib/fdutil.h"
#include "lib/json.h"
#include "memlogd/client.h"
#include "memlogd/notice.h"
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

static struct resume resume;

static bool is_skipped(int64_t time_ns, const char *msg) {
    const struct ring_entry e = {
        .time_ns = time_ns, .source = "s", .source_len = 1, .msg = msg, .msg_len = (uint32_t)strlen(msg)};

    return resume_skip(&resume, &e);
}

static void a_reader_goes_on_where_it_was(void **state) {
    (void)state;
    resume = (struct resume){0};
    assert_false(is_skipped(30, "a"));
    assert_false(is_skipped(40, "b"));
    assert_false(is_skipped(10, "c")); /* the clock was set back */
    assert_false(is_skipped(11, "d"));
    for (int i = 0; i < 2; i++) { /* all is sent again, and what came meanwhile */
        resume.skipping = true;
        assert_true(is_skipped(30, "a"));
        assert_true(is_skipped(40, "b"));
        assert_true(is_skipped(10, "c"));
        assert_true(is_skipped(11, "d"));
        assert_true(i == 0 || is_skipped(12, "e"));
        assert_false(resume.skipping);
        assert_false(is_skipped(12 + i, i ? "f" : "e"));
    }
    assert_false(is_skipped(31, "a")); /* the same text at another time is another line */
    resume.skipping = true;
    assert_false(is_skipped(1, "of another ring")); /* what was read last is not there any more */
    assert_false(resume.skipping);
}

static void without_a_line_the_time_of_the_start_counts(void **state) {
    (void)state;
    resume = (struct resume){.skipping = true, .start_ns = 20};
    assert_true(is_skipped(10, "a"));
    assert_true(is_skipped(20, "b"));
    assert_false(is_skipped(21, "c"));
    assert_false(is_skipped(5, "d"));
}

static void a_ring_with_more_lines_than_are_remembered(void **state) {
    const int64_t lines = RESUME_LINES + 1000;

    (void)state;
    resume = (struct resume){0};
    for (int64_t i = 1; i <= lines; i++)
        assert_false(is_skipped(i, "x"));
    resume.skipping = true;
    for (int64_t i = 1; i <= lines; i++)
        assert_true(is_skipped(i, "x"));
    assert_false(is_skipped(lines + 1, "x"));
}

static void notices_that_concern_a_source(void **state) {
    static const struct {
        const char *source, *msg;
        bool concerns;
    } cases[] = {
        {"memlogd", "7 lines of www lost: this reader was too slow", true},
        {"memlogd", "1 lines of www cut: 9 bytes beyond 1024 of a line lost", true},
        {"memlogd", "7 lines lost: pushed out before this reader came back", true},
        {"memlogd", "7 lines of other sources lost: this reader was too slow", true},
        {"memlogd", "source www refused: there are too many already", true},
        {"memlogd", "source www ended: Connection reset by peer", true},
        {"memlogd", "7 lines of www2 lost: this reader was too slow", false},
        {"memlogd", "7 lines of ww lost: this reader was too slow", false},
        {"memlogd", "memlogd started", false},
        {"memlogd", "lines of www lost: x", false},
        {"source.memlogd", "7 lines of www lost: this reader was too slow", false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const struct ring_entry e = {.source = cases[i].source, .msg = cases[i].msg};
        if (notice_concerns(&e, "www") != cases[i].concerns)
            fail_msg("%s", cases[i].msg);
    }
}

static void days_that_there_are_not(void **state) {
    static const char *const bad[] = {"2024-02-30T00:00:00Z", "2023-02-29T00:00:00Z",      "2024-02-31T00:00:00Z",
                                      "2024-04-31T00:00:00Z", "2024-00-01T00:00:00Z",      "2024-13-01T00:00:00Z",
                                      "2024-01-00T00:00:00Z", "2024-01-01T24:00:00Z",      "2024-01-01T00:60:00Z",
                                      "2024-01-01T00:00:61Z", "2024-01-01T00:00:00+24:00", "1900-02-29T00:00:00Z"};
    static const char *const good[] = {"2024-02-29T23:59:59Z", "2000-02-29T00:00:00Z", "2016-12-31T23:59:60Z",
                                       "2024-01-31T00:00:00-23:59"};
    int64_t t;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        if (time_parse(bad[i], &t) != -EINVAL)
            fail_msg("%s", bad[i]);
    for (size_t i = 0; i < ARRAY_SIZE(good); i++)
        assert_int_equal(time_parse(good[i], &t), 0);
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

/* Plain text is copied eight bytes at a time: every byte, at every place of them, with others before and behind. */
static void every_byte_at_every_place(void **state) {
    static const char others[] = {'x', '\x01', '\x7f', '"'};
    char msg[24], text[ENTRY_JSON_MAX(sizeof(msg))];
    const struct ring_entry e = {.source = "s", .source_len = 1, .msg = msg, .msg_len = sizeof(msg)};

    (void)state;
    for (unsigned i = 0; i < 256 * sizeof(msg) * sizeof(others); i++) {
        unsigned byte = i % 256, at = i / 256 % sizeof(msg);
        memset(msg, 'x', sizeof(msg));
        msg[sizeof(msg) - 1 - at] = others[i / 256 / sizeof(msg)];
        msg[at] = (char)byte;
        size_t len = entry_format(&e, text);
        for (size_t k = 0; k < len - 1; k++)
            assert_true((unsigned char)text[k] >= 0x20 && text[k] != 0x7f);
        AUTO_JSON json_t *line = json_loadb(text, len, JSON_ALLOW_NUL, NULL);
        const json_t *value = json_object_get(line, "msg");
        assert_non_null(value);
        if (byte < 0x80)
            assert_memory_equal(json_string_value(value), msg, sizeof(msg));
    }
}

static void options_of_a_file(void **state) {
    char path[] = "/tmp/entry_test.XXXXXX", *argv[6] = {NULL};
    const char text[] = "# of memlogd\n\n -a 1\t--b=2   # more\nlast\r\n";
    AUTO_BUF struct buf words = BUF_INIT;
    struct err e = {0};

    (void)state;
    assert_int_equal(options_read("/nowhere/at-all", &words, argv, ARRAY_SIZE(argv), &e), 0);
    assert_null(argv[1]);
    AUTO_CLOSE int fd = mkstemp(path);
    assert_int_equal(write_full(fd, text, sizeof(text) - 1), 0);
    assert_int_equal(options_read(path, &words, argv, ARRAY_SIZE(argv), &e), 0);
    assert_string_equal(argv[1], "-a");
    assert_string_equal(argv[2], "1");
    assert_string_equal(argv[3], "--b=2");
    assert_string_equal(argv[4], "last");
    assert_null(argv[5]);
    buf_reset(&words);
    assert_int_equal(options_read(path, &words, argv, ARRAY_SIZE(argv) - 1, &e), -E2BIG);
    assert_int_equal(unlink(path), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_is_an_object),
        cmocka_unit_test(every_byte_is_harmless),
        cmocka_unit_test(any_bytes_are_valid_json),
        cmocka_unit_test(other_writers_are_understood),
        cmocka_unit_test(what_is_no_line_is_refused),
        cmocka_unit_test(times_go_both_ways),
        cmocka_unit_test(a_reader_goes_on_where_it_was),
        cmocka_unit_test(without_a_line_the_time_of_the_start_counts),
        cmocka_unit_test(a_ring_with_more_lines_than_are_remembered),
        cmocka_unit_test(notices_that_concern_a_source),
        cmocka_unit_test(days_that_there_are_not),
        cmocka_unit_test(kmsg_records),
        cmocka_unit_test(options_with_one_dash_or_two),
        cmocka_unit_test(every_byte_at_every_place),
        cmocka_unit_test(options_of_a_file),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
