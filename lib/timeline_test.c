/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/timeline.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/file.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "lib/fdutil.h"
#include "lib/json.h"

static char path[] = "/tmp/timeline_test.XXXXXX";

static const struct timeline_stage mounts = {
    .stage = "mounts", .parent = "", .start_ns = 5, .end_ns = 9, .ok = true, .detail = ""};

static int setup(void **state) {
    (void)state;
    memcpy(path + sizeof(path) - 7, "XXXXXX", 6);
    int fd = mkstemp(path);
    return fd < 0 ? -1 : close(fd);
}

static int teardown(void **state) {
    (void)state;
    return unlink(path);
}

static json_t *stages(json_t **doc) {
    struct err e = {0};
    if (json_load_path(path, TIMELINE_MAX_BYTES, doc, &e))
        fail_msg("%s", e.msg);
    assert_int_equal(json_integer_value(json_object_get(*doc, "version")), 1);
    return json_object_get(*doc, "stages");
}

static void every_append_leaves_a_whole_document(void **state) {
    (void)state;
    for (size_t i = 1; i <= 3; i++) {
        AUTO_JSON json_t *doc = NULL;
        assert_int_equal(timeline_append(path, &mounts), 0);
        assert_int_equal(json_array_size(stages(&doc)), i);
    }
}

static void fields_come_back(void **state) {
    AUTO_JSON json_t *doc = NULL;
    struct timeline_stage s = {.stage = "services/www",
                               .parent = "020-containerd",
                               .start_ns = UINT64_C(1) << 40,
                               .end_ns = (UINT64_C(1) << 40) + 1,
                               .ok = false,
                               .detail = "no \"such\" file\n\\ \xc3\xa9"};
    (void)state;
    assert_int_equal(timeline_append(path, &s), 0);
    const json_t *got = json_array_get(stages(&doc), 0);
    assert_string_equal(json_string_value(json_object_get(got, "stage")), "services/www");
    assert_string_equal(json_string_value(json_object_get(got, "parent")), "020-containerd");
    assert_int_equal(json_integer_value(json_object_get(got, "start_ns")), 1LL << 40);
    assert_int_equal(json_integer_value(json_object_get(got, "end_ns")), (1LL << 40) + 1);
    assert_true(json_is_false(json_object_get(got, "ok")));
    assert_string_equal(json_string_value(json_object_get(got, "detail")), "no \"such\" file\n\\ ??");
    assert_null(json_object_get(got, "output"));
}

static void output_keeps_its_end(void **state) {
    AUTO_JSON json_t *doc = NULL;
    char output[TIMELINE_OUTPUT_MAX + 101];
    struct timeline_stage s = mounts;
    (void)state;
    memset(output, '.', sizeof(output) - 1);
    memcpy(output + sizeof(output) - 12, "the\nend \"!\"", 12);
    s.output = output;
    assert_int_equal(timeline_append(path, &s), 0);
    const char *got = json_string_value(json_object_get(json_array_get(stages(&doc), 0), "output"));
    assert_int_equal(strlen(got), TIMELINE_OUTPUT_MAX);
    assert_string_equal(got + TIMELINE_OUTPUT_MAX - 11, "the\nend \"!\"");
}

static bool text_is(struct timeline_text t, const char *s) {
    return t.len == strlen(s) && !memcmp(t.p, s, t.len);
}

static void what_was_appended_is_read_again(void **state) {
    AUTO_BUF struct buf text = BUF_INIT;
    const struct timeline_stage bad = {"a\"b", "p", 7, 18446744073709551u, false, "why\n", "last\nline"};
    struct timeline_entry e;
    size_t pos = 0;
    (void)state;
    assert_int_equal(timeline_append(path, &mounts), 0);
    assert_int_equal(timeline_append(path, &bad), 0);
    assert_int_equal(read_file(path, TIMELINE_MAX_BYTES, &text, NULL), 0);
    assert_true(timeline_next(text.data, text.len, &pos, &e));
    assert_true(text_is(e.stage, "mounts") && text_is(e.parent, "") && text_is(e.output, "") && e.ok);
    assert_true(timeline_next(text.data, text.len, &pos, &e));
    assert_true(text_is(e.stage, "a\\\"b") && text_is(e.parent, "p") && text_is(e.detail, "why\\n"));
    assert_true(text_is(e.output, "last\\nline") && !e.ok);
    assert_int_equal(e.start_ns, 7);
    assert_int_equal(e.end_ns, 18446744073709551u);
    assert_false(timeline_next(text.data, text.len, &pos, &e));
}

static void who_used_the_processor_and_who_was_waited_for_come_back(void **state) {
    static const char *const names[] = {"services/a", "b \"x\"", "c", "d", "the fifth"};
    AUTO_BUF struct buf text = BUF_INIT;
    AUTO_JSON json_t *doc = NULL;
    char more[TIMELINE_MORE_MAX];
    struct timeline_entry e;
    size_t pos = 0;
    (void)state;
    timeline_more(more, 0, NULL, 0);
    assert_string_equal(more, "");
    timeline_more(more, 7, names, 0);
    assert_int_equal(timeline_append_more(path, &mounts, more), 0);
    timeline_more(more, 0, names, ARRAY_SIZE(names));
    assert_int_equal(timeline_append_more(path, &mounts, more), 0);
    assert_int_equal(timeline_append(path, &mounts), 0);
    const json_t *got = stages(&doc);
    assert_int_equal(json_integer_value(json_object_get(json_array_get(got, 0), "cpu_ns")), 7);
    assert_int_equal(json_array_size(json_object_get(json_array_get(got, 1), "after")), TIMELINE_AFTER_MAX);
    assert_int_equal(read_file(path, TIMELINE_MAX_BYTES, &text, NULL), 0);
    assert_true(timeline_next(text.data, text.len, &pos, &e));
    assert_true(e.cpu_ns == 7 && e.tells_after && e.after_len == 0);
    assert_true(timeline_next(text.data, text.len, &pos, &e));
    assert_true(e.cpu_ns == 0 && e.tells_after && e.after_len == TIMELINE_AFTER_MAX);
    assert_true(text_is(e.after[0], "services/a") && text_is(e.after[1], "b \\\"x\\\"") && text_is(e.after[3], "d"));
    assert_true(timeline_next(text.data, text.len, &pos, &e));
    assert_true(e.cpu_ns == 0 && !e.tells_after && e.after_len == 0);
}

/* The longest of all still is one line that a program can read. */
static void names_without_end_are_left_out(void **state) {
    AUTO_JSON json_t *doc = NULL;
    char name[TIMELINE_MORE_MAX], more[TIMELINE_MORE_MAX];
    const char *names[] = {"first", name, name, name};
    (void)state;
    memset(name, 1, sizeof(name) - 1); /* each becomes six bytes */
    name[sizeof(name) - 1] = '\0';
    const struct timeline_stage s = {name, name, INT64_MAX, INT64_MAX, false, name, name};
    timeline_more(more, INT64_MAX, names, ARRAY_SIZE(names));
    assert_int_equal(timeline_append_more(path, &s, more), 0);
    assert_int_equal(json_array_size(json_object_get(json_array_get(stages(&doc), 0), "after")), 2);
}

/* Cut off anywhere, or not ours at all: nothing is read beyond the end, and no entry is made up. */
static void a_torn_document_is_no_danger(void **state) {
    AUTO_BUF struct buf text = BUF_INIT;
    struct timeline_entry e;
    (void)state;
    assert_int_equal(timeline_append_more(path, &mounts, ",\"cpu_ns\":7,\"after\":[\"a\",\"b\"]"), 0);
    assert_int_equal(read_file(path, TIMELINE_MAX_BYTES, &text, NULL), 0);
    for (size_t len = 0; len < text.len; len++) {
        AUTO_FREE char *copy = malloc(len + 1);
        size_t pos = 0;
        assert_non_null(copy);
        memcpy(copy, text.data, len);
        if (timeline_next(copy, len, &pos, &e))
            assert_true(text_is(e.stage, "mounts") && pos <= len);
    }
}

static void long_details_are_cut(void **state) {
    AUTO_JSON json_t *doc = NULL;
    char detail[1000];
    struct timeline_stage s = mounts;
    (void)state;
    memset(detail, 1, sizeof(detail) - 1); /* each becomes six bytes */
    detail[sizeof(detail) - 1] = '\0';
    s.detail = detail;
    assert_int_equal(timeline_append(path, &s), 0);
    const json_t *got = json_array_get(stages(&doc), 0);
    assert_int_equal(json_string_length(json_object_get(got, "detail")), 200);
}

/* What a chain of programs says ends with the cause. */
static void of_long_details_the_end_is_kept(void **state) {
    AUTO_JSON json_t *doc = NULL;
    char detail[400];
    struct timeline_stage s = mounts;
    (void)state;
    (void)snprintf(detail, sizeof(detail), "could not start: %0300d: no such file", 0);
    s.detail = detail;
    assert_int_equal(timeline_append(path, &s), 0);
    const char *got = json_string_value(json_object_get(json_array_get(stages(&doc), 0), "detail"));
    assert_int_equal(strncmp(got, "could not start: 000", 20), 0);
    assert_non_null(strstr(got, "0...0"));
    assert_string_equal(got + strlen(got) - 14, ": no such file");
}

static void it_stops_at_its_bound(void **state) {
    AUTO_JSON json_t *doc = NULL;
    int r = 0;
    (void)state;
    for (int i = 0; i < 10000 && r == 0; i++)
        r = timeline_append(path, &mounts);
    assert_int_equal(r, -EFBIG);
    assert_true(json_array_size(stages(&doc)) > 1000);
}

static void a_held_lock_does_not_hold_us(void **state) {
    (void)state;
    AUTO_CLOSE int fd = open(path, O_RDWR | O_CLOEXEC);
    assert_int_equal(flock(fd, LOCK_EX), 0);
    assert_int_equal(timeline_append(path, &mounts), -EAGAIN);
}

static void a_foreign_file_is_left_alone(void **state) {
    AUTO_BUF struct buf b = BUF_INIT;
    (void)state;
    assert_int_equal(write_file_atomic(path, "something else", 14, 0644, false, NULL), 0);
    assert_int_equal(timeline_append(path, &mounts), -EBADMSG);
    assert_int_equal(read_file(path, 100, &b, NULL), 0);
    assert_string_equal(b.data, "something else");
}

static void writers_side_by_side_lose_nothing(void **state) {
    AUTO_JSON json_t *doc = NULL;
    (void)state;
    for (int child = 0; child < 4; child++)
        if (fork() == 0) {
            for (int i = 0; i < 50; i++)
                while (timeline_append(path, &mounts) == -EAGAIN)
                    ;
            _exit(0);
        }
    while (wait(NULL) > 0)
        ;
    assert_int_equal(json_array_size(stages(&doc)), 200);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_append_leaves_a_whole_document, setup, teardown),
        cmocka_unit_test_setup_teardown(fields_come_back, setup, teardown),
        cmocka_unit_test_setup_teardown(output_keeps_its_end, setup, teardown),
        cmocka_unit_test_setup_teardown(what_was_appended_is_read_again, setup, teardown),
        cmocka_unit_test_setup_teardown(who_used_the_processor_and_who_was_waited_for_come_back, setup, teardown),
        cmocka_unit_test_setup_teardown(names_without_end_are_left_out, setup, teardown),
        cmocka_unit_test_setup_teardown(a_torn_document_is_no_danger, setup, teardown),
        cmocka_unit_test_setup_teardown(long_details_are_cut, setup, teardown),
        cmocka_unit_test_setup_teardown(of_long_details_the_end_is_kept, setup, teardown),
        cmocka_unit_test_setup_teardown(it_stops_at_its_bound, setup, teardown),
        cmocka_unit_test_setup_teardown(a_held_lock_does_not_hold_us, setup, teardown),
        cmocka_unit_test_setup_teardown(a_foreign_file_is_left_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(writers_side_by_side_lose_nothing, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
