/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/bootrecord.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib/fdutil.h"
#include "lib/json.h"
#include "lib/timeline.h"

static char path[] = "/tmp/bootrecord_test.XXXXXX";
static struct buf timeline;
static char text[BOOTRECORD_MAX + 1];
static bool ok;

static int setup(void **state) {
    (void)state;
    memcpy(path + sizeof(path) - 7, "XXXXXX", 6);
    int fd = mkstemp(path);
    return fd < 0 ? -1 : close(fd);
}

static int teardown(void **state) {
    (void)state;
    buf_free(&timeline);
    return unlink(path);
}

static void stage(const char *name, const char *parent, bool is_ok, const char *detail, const char *output) {
    const struct timeline_stage s = {name, parent, 1000000000, 3500000000, is_ok, detail, output};
    assert_int_equal(timeline_append(path, &s), 0);
}

static struct bootrecord record(void) {
    buf_reset(&timeline);
    assert_int_equal(read_file(path, TIMELINE_MAX_BYTES, &timeline, NULL), 0);
    return (struct bootrecord){.state = BOOTRECORD_UP,
                               .end = "",
                               .running = "",
                               .at_ns = 8123000000,
                               .memory_kib = 1000,
                               .memory_least_kib = 400,
                               .last_end = "",
                               .kernel = "",
                               .timeline = timeline.data ? timeline.data : "",
                               .timeline_len = timeline.len};
}

static json_t *make(const struct bootrecord *r) {
    json_error_t why;
    size_t len = bootrecord_make(r, text, &ok);
    assert_true(len <= BOOTRECORD_MAX && strlen(text) == len && text[len - 1] == '\n');
    assert_ptr_equal(strchr(text, '\n'), text + len - 1);
    json_t *doc = json_loads(text, 0, &why);
    if (!doc)
        fail_msg("%s in %s", why.text, text);
    return doc;
}

static const char *failed(const json_t *doc, size_t i, const char *key) {
    return json_string_value(json_object_get(json_array_get(json_object_get(doc, "failed"), i), key));
}

static size_t failures(const json_t *doc) {
    return json_array_size(json_object_get(doc, "failed"));
}

static void a_good_boot_is_ok(void **state) {
    (void)state;
    stage("init", "", true, "", NULL);
    struct bootrecord r = record();
    AUTO_JSON json_t *doc = make(&r);
    assert_true(ok && json_is_true(json_object_get(doc, "ok")));
    assert_string_equal(json_string_value(json_object_get(doc, "state")), "up");
    assert_int_equal(json_integer_value(json_object_get(doc, "at_ms")), 8123);
    assert_int_equal(json_integer_value(json_object_get(doc, "memory_least_kib")), 400);
    AUTO_FREE char *stages = json_dumps(json_object_get(doc, "stages"), JSON_COMPACT);
    assert_string_equal(stages, "[[\"init\",1000,2500]]");
    char summary[BOOTRECORD_SUMMARY_MAX];
    bootrecord_summary(&r, summary);
    assert_string_equal(summary, "up after 8.1 s, ok");
}

static void append(const char *name, const char *parent, uint64_t start_ms, uint64_t end_ms, const char *more) {
    const struct timeline_stage s = {name, parent, start_ms * 1000000, end_ms * 1000000, true, "", NULL};
    assert_int_equal(timeline_append_more(path, &s, more), 0);
}

static void a_stage_tells_its_processor_time_and_whom_it_waited_for(void **state) {
    static const char *const after[] = {"containerd", "services/a"};
    char more[TIMELINE_MORE_MAX];
    (void)state;
    append("kernel", "", 0, 10, "");
    append("init", "", 10, 20, "");
    append("onboot/000-a", "010-onboot", 20, 30, ",\"cpu_ns\":7999999");
    append("containerd", "020-containerd", 30, 40, ",\"cpu_ns\":999999");
    append("services/a", "020-containerd", 40, 50, ",\"cpu_ns\":9000000,\"after\":[]");
    timeline_more(more, 0, after, 2);
    append("services/b", "020-containerd", 50, 60, more);
    struct bootrecord r = record();
    AUTO_JSON json_t *doc = make(&r);
    AUTO_FREE char *stages = json_dumps(json_object_get(doc, "stages"), JSON_COMPACT);
    assert_string_equal(stages, "[[\"kernel\",0,10],[\"init\",10,10,0,[0]],[\"onboot/000-a\",20,10,7],"
                                "[\"containerd\",30,10],[\"services/a\",40,10,9],[\"services/b\",50,10,0,[3,4]]]");
}

static void more_stages_than_fit_are_counted(void **state) {
    enum { STAGES = 500 };
    char name[32];
    (void)state;
    for (unsigned i = 0; i < STAGES; i++) {
        (void)snprintf(name, sizeof(name), "%u", i);
        append(name, "", i, i + 1, ",\"cpu_ns\":1000000");
    }
    struct bootrecord r = record();
    AUTO_JSON json_t *doc = make(&r);
    size_t shown = json_array_size(json_object_get(doc, "stages"));
    assert_true(shown > 100 && shown < STAGES);
    assert_int_equal(json_integer_value(json_object_get(doc, "stages_more")), STAGES - shown);
}

static void a_boot_that_goes_on_is_not_ok_yet(void **state) {
    (void)state;
    stage("init", "", true, "", NULL);
    struct bootrecord r = record();
    r.state = BOOTRECORD_BOOTING;
    r.running = "010-onboot: 000-hangs";
    AUTO_JSON json_t *doc = make(&r);
    assert_false(ok);
    assert_string_equal(json_string_value(json_object_get(doc, "running")), "010-onboot: 000-hangs");
    char summary[BOOTRECORD_SUMMARY_MAX];
    bootrecord_summary(&r, summary);
    assert_string_equal(summary, "booting for 8.1 s, in 010-onboot: 000-hangs");
}

static void a_failed_step_is_told_with_its_output(void **state) {
    (void)state;
    stage("005-x", "init.d", false, "exited with status 3", "first\nlast \"words\"");
    struct bootrecord r = record();
    AUTO_JSON json_t *doc = make(&r);
    assert_false(ok);
    assert_string_equal(failed(doc, 0, "step"), "005-x");
    assert_string_equal(failed(doc, 0, "why"), "exited with status 3");
    assert_string_equal(failed(doc, 0, "output"), "first\nlast \"words\"");
    char summary[BOOTRECORD_SUMMARY_MAX];
    bootrecord_summary(&r, summary);
    assert_string_equal(summary, "up after 8.1 s, FAILED: 005-x: exited with status 3");
}

/* What a program says of its own ways comes first, the cause last. */
static void of_a_long_reason_both_ends_are_kept(void **state) {
    char why[400] = "could not create its task: ";
    (void)state;
    memset(why + strlen(why), 'x', 300);
    memcpy(why + 327, ": OOM-killed", 13);
    stage("services/m", "services", false, why, NULL);
    struct bootrecord r = record();
    AUTO_JSON json_t *doc = make(&r);
    const char *told = failed(doc, 0, "why");
    assert_int_equal(strlen(told), 160);
    assert_int_equal(strncmp(told, "could not create its task: xx", 29), 0);
    assert_non_null(strstr(told, "xx...xx"));
    assert_string_equal(told + 160 - 12, ": OOM-killed");
}

static void the_part_is_named_and_not_the_whole(void **state) {
    (void)state;
    stage("onboot/001-b", "010-onboot", false, "exited with status 1", NULL);
    stage("onboot/all", "010-onboot", false, "1 ok, 1 exit", NULL);
    stage("010-onboot", "init.d", false, "exited with status 1", NULL);
    struct bootrecord r = record();
    AUTO_JSON json_t *doc = make(&r);
    assert_int_equal(failures(doc), 1);
    assert_string_equal(failed(doc, 0, "step"), "onboot/001-b");
}

static void who_is_ok_in_the_end_has_not_failed(void **state) {
    (void)state;
    stage("services/a", "020-containerd", false, "it exited with status 1", NULL);
    stage("020-containerd", "init.d", false, "exited with status 1", NULL);
    stage("services/a", "020-containerd", true, "", NULL);
    struct bootrecord r = record();
    AUTO_JSON json_t *doc = make(&r);
    assert_true(ok);
    assert_int_equal(failures(doc), 0);
}

static void tell_output(const char *step, char *out, size_t len, void *data) {
    (void)data;
    (void)snprintf(out, len, "log of %s", step);
}

static void logs_are_asked_for_what_the_timeline_lacks(void **state) {
    (void)state;
    stage("services/a", "020-containerd", false, "it exited with status 1", NULL);
    stage("b", "init.d", false, "exited with status 1", "known");
    struct bootrecord r = record();
    r.output = tell_output;
    AUTO_JSON json_t *doc = make(&r);
    assert_string_equal(failed(doc, 0, "output"), "log of services/a");
    assert_string_equal(failed(doc, 1, "output"), "known");
}

/* However much there is, and whatever is in it: one line of JSON, no longer than it may be, and every step counted. */
static void it_keeps_its_bound(void **state) {
    (void)state;
    char name[32], noise[TIMELINE_OUTPUT_MAX + 1];
    for (size_t i = 0; i < sizeof(noise) - 1; i++)
        noise[i] = "\"\\\n\x01x\xff"[i % 6];
    noise[sizeof(noise) - 1] = '\0';
    for (int i = 0; i < 60; i++) {
        (void)snprintf(name, sizeof(name), "onboot/%03d-step", i);
        stage(name, "010-onboot", i % 2, noise, noise);
    }
    struct bootrecord r = record();
    r.kernel = r.running = r.last_end = noise;
    AUTO_JSON json_t *doc = make(&r);
    assert_int_equal(failures(doc) + (size_t)json_integer_value(json_object_get(doc, "failed_more")), 30);
    assert_true(failures(doc) >= 8);
    assert_int_equal(json_array_size(json_object_get(doc, "stages")) +
                         (size_t)json_integer_value(json_object_get(doc, "stages_more")),
                     60);
    char summary[BOOTRECORD_SUMMARY_MAX];
    bootrecord_summary(&r, summary);
    assert_true(strlen(summary) < BOOTRECORD_SUMMARY_MAX);
}

/* Twenty steps that failed with a line each are all told, with their lines. */
static void many_faults_are_all_told(void **state) {
    (void)state;
    char name[32], output[64];
    for (int i = 0; i < 20; i++) {
        (void)snprintf(name, sizeof(name), "onboot/%03d-step", i);
        (void)snprintf(output, sizeof(output), "could not open file %d\n", i);
        stage(name, "010-onboot", false, "exited with status 1", output);
    }
    struct bootrecord r = record();
    AUTO_JSON json_t *doc = make(&r);
    assert_int_equal(failures(doc), 20);
    for (size_t i = 0; i < 20; i++)
        assert_non_null(failed(doc, i, "output"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_good_boot_is_ok, setup, teardown),
        cmocka_unit_test_setup_teardown(a_stage_tells_its_processor_time_and_whom_it_waited_for, setup, teardown),
        cmocka_unit_test_setup_teardown(more_stages_than_fit_are_counted, setup, teardown),
        cmocka_unit_test_setup_teardown(a_boot_that_goes_on_is_not_ok_yet, setup, teardown),
        cmocka_unit_test_setup_teardown(a_failed_step_is_told_with_its_output, setup, teardown),
        cmocka_unit_test_setup_teardown(of_a_long_reason_both_ends_are_kept, setup, teardown),
        cmocka_unit_test_setup_teardown(the_part_is_named_and_not_the_whole, setup, teardown),
        cmocka_unit_test_setup_teardown(who_is_ok_in_the_end_has_not_failed, setup, teardown),
        cmocka_unit_test_setup_teardown(logs_are_asked_for_what_the_timeline_lacks, setup, teardown),
        cmocka_unit_test_setup_teardown(it_keeps_its_bound, setup, teardown),
        cmocka_unit_test_setup_teardown(many_faults_are_all_told, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
