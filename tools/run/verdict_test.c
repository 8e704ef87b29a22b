/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "lib/json.h"
#include "tools/run/verdict.h"

#define UP "{\"state\":\"up\",\"ok\":true,\"at_ms\":8123,\"failed\":[]}\n"
#define FAILED                                                                                                         \
    "{\"state\":\"up\",\"ok\":false,\"at_ms\":8123,\"failed\":[{\"step\":\"onboot/000-x\",\"why\":\"exited with "      \
    "status 3\",\"output\":\"one\\ntwo \\u001b[31m\"}]}\n"
#define BOOTING "{\"state\":\"booting\",\"ok\":false,\"at_ms\":30000,\"running\":\"010-onboot: 000-x\",\"failed\":[]}\n"

static struct verdict_reader v;

static int setup(void **state) {
    (void)state;
    v = (struct verdict_reader)VERDICT_READER_INIT;
    return 0;
}

static int teardown(void **state) {
    (void)state;
    verdict_reader_free(&v);
    return 0;
}

static bool feed(const char *text) {
    return verdict_feed(&v, text, strlen(text));
}

static void a_record_may_come_in_pieces(void **state) {
    (void)state;
    for (size_t i = 0; i + 1 < strlen(UP); i++)
        assert_false(verdict_feed(&v, &UP[i], 1));
    assert_int_equal(verdict_of(v.record), VERDICT_NONE);
    assert_true(feed("\n"));
    assert_int_equal(verdict_of(v.record), VERDICT_OK);
}

static void the_last_word_counts(void **state) {
    (void)state;
    assert_true(feed(BOOTING));
    assert_int_equal(verdict_of(v.record), VERDICT_NONE);
    assert_true(feed(UP FAILED));
    assert_int_equal(verdict_of(v.record), VERDICT_FAILED);
}

/* The port is the guest's: whatever it writes there, nothing grows and nothing but a record is believed. */
static void noise_is_passed_over(void **state) {
    (void)state;
    char noise[4096];
    memset(noise, 'x', sizeof(noise));
    for (int i = 0; i < 1000; i++)
        (void)verdict_feed(&v, noise, sizeof(noise));
    assert_true(v.text.cap <= (size_t)8 * BOOTRECORD_MAX);
    assert_true(feed("\n\n[]\n{}\n{\"state\":\"up\"}\n{\"state\":1,\"ok\":true,\"failed\":[]}\n" UP));
    assert_int_equal(verdict_of(v.record), VERDICT_OK);
    assert_false(feed("{\"state\":\"gone\"}\n"));
    assert_int_equal(verdict_of(v.record), VERDICT_OK);
}

static void people_read_what_failed(void **state) {
    AUTO_BUF struct buf out = BUF_INIT;
    (void)state;
    (void)feed(FAILED);
    assert_int_equal(verdict_print(v.record, &out), 0);
    assert_string_equal(out.data, "the guest: up after 8.1 s, failed\n"
                                  "  onboot/000-x: exited with status 3\n    one\n    two ?[31m\n");
    buf_reset(&out);
    (void)feed(BOOTING);
    assert_int_equal(verdict_print(v.record, &out), 0);
    assert_string_equal(out.data, "the guest: booting after 30.0 s, not up, in 010-onboot: 000-x\n");
    buf_reset(&out);
    assert_int_equal(verdict_print(NULL, &out), 0);
    assert_string_equal(out.data, "the guest has said nothing\n");
}

static void programs_read_all_of_it(void **state) {
    AUTO_BUF struct buf out = BUF_INIT;
    (void)state;
    assert_int_equal(verdict_print_json(NULL, 3, &out), 0);
    assert_string_equal(out.data, "{\"verdict\":\"none\",\"exit\":3,\"record\":null}\n");
    buf_reset(&out);
    (void)feed(UP);
    assert_int_equal(verdict_print_json(v.record, 0, &out), 0);
    AUTO_JSON json_t *doc = json_loads(out.data, 0, NULL);
    assert_string_equal(json_string_value(json_object_get(doc, "verdict")), "ok");
    assert_int_equal(json_integer_value(json_object_get(json_object_get(doc, "record"), "at_ms")), 8123);
}

static void stages_are_drawn_and_failures_are_red(void **state) {
    AUTO_BUF struct buf out = BUF_INIT;
    (void)state;
    (void)feed("{\"state\":\"up\",\"ok\":false,\"failed\":[{\"step\":\"onboot/001-b\",\"why\":\"it <died>\"}],"
               "\"stages\":[[\"init\",1200,300],[\"kernel\",0,1200],[\"onboot/001-b\",1500,20],[7]]}\n");
    assert_int_equal(verdict_draw(v.record, &out), 0);
    const char *kernel = strstr(out.data, "<title>kernel: 1.200 s, from 0.000 s on</title>");
    const char *init = strstr(out.data, "<title>init: 0.300 s, from 1.200 s on</title>");
    const char *b = strstr(out.data, "<title>onboot/001-b: 0.020 s, from 1.500 s on, FAILED; it &lt;died&gt;</title>");
    assert_true(kernel && init && b && kernel < init && init < b);
    buf_reset(&out);
    assert_int_equal(verdict_draw(NULL, &out), 0);
}

/* Records of older machines have three numbers, of newer ones perhaps more than we know. */
static void what_has_not_ended_is_drawn(void **state) {
    AUTO_BUF struct buf out = BUF_INIT;
    (void)state;
    (void)feed("{\"state\":\"booting\",\"ok\":false,\"running\":\"010-onboot: 000-slow\",\"at_ms\":30500,\"failed\":[],"
               "\"stages\":[[\"kernel\",0,1000],[\"init\",1000,500]],\"stages_more\":0}\n");
    assert_int_equal(verdict_draw(v.record, &out), 0);
    assert_non_null(
        strstr(out.data, "<title>010-onboot: 000-slow: 29.000 s, from 1.500 s on; it has not ended</title>"));
}

static void who_used_the_processor_and_what_waited_is_drawn(void **state) {
    AUTO_BUF struct buf out = BUF_INIT;
    (void)state;
    (void)feed("{\"state\":\"up\",\"ok\":true,\"failed\":[],\"stages\":[[\"part\",1000,1000,500],[\"kernel\",0,1000],"
               "[\"whole\",1000,3000,2000,[1,\"x\",-1,77],\"new\"],[\"odd\",0,0,{},7]],\"stages_more\":12}\n");
    assert_int_equal(verdict_draw(v.record, &out), 0);
    const char *whole = strstr(out.data, "<title>whole: 3.000 s, from 1.000 s on, CPU 2.000 s</title>");
    const char *part = strstr(out.data, "<title>part: 1.000 s, from 1.000 s on, CPU 0.500 s</title>");
    assert_true(whole && part && whole < part);
    assert_non_null(strstr(out.data, "M446.0 88.0V128.0H446.0")); /* the kernel's end, the whole's begin */
    assert_non_null(strstr(out.data, ">12 more stages did not fit<"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_record_may_come_in_pieces, setup, teardown),
        cmocka_unit_test_setup_teardown(the_last_word_counts, setup, teardown),
        cmocka_unit_test_setup_teardown(noise_is_passed_over, setup, teardown),
        cmocka_unit_test_setup_teardown(people_read_what_failed, setup, teardown),
        cmocka_unit_test_setup_teardown(programs_read_all_of_it, setup, teardown),
        cmocka_unit_test_setup_teardown(stages_are_drawn_and_failures_are_red, setup, teardown),
        cmocka_unit_test_setup_teardown(what_has_not_ended_is_drawn, setup, teardown),
        cmocka_unit_test_setup_teardown(who_used_the_processor_and_what_waited_is_drawn, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
