/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/bootchart.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib/auto.h"

#define BAR_HEIGHT "height=\"14.0\" "
#define BAR BAR_HEIGHT "fill=\""
#define BAR_FAILED BAR "#e3a29f\""
#define CPU "fill=\"#3b6597\""

static void draw(struct buf *out, const struct bootchart_row *rows, size_t len, size_t more) {
    const struct bootchart c = {rows, len, more};

    assert_int_equal(bootchart_draw(&c, out), 0);
}

static unsigned times(const struct buf *out, const char *what) {
    unsigned n = 0;

    for (const char *p = out->data; (p = strstr(p, what)); p += strlen(what))
        n++;
    return n;
}

static void every_row_has_a_name_a_bar_and_a_time(void **state) {
    static const struct bootchart_row rows[] = {
        {.name = "kernel", .detail = "", .end_s = 1.25, .ok = true},
        {.name = "init.d", .detail = "", .start_s = 1.5, .end_s = 4, .ok = true},
        {.name = "onboot/000-x", .detail = "it exited with status 3", .depth = 1, .start_s = 2, .end_s = 2.5}};
    AUTO_BUF struct buf out = BUF_INIT;
    (void)state;
    draw(&out, rows, 3, 0);
    assert_int_equal(times(&out, "<title>"), 4); /* and the picture's */
    assert_int_equal(times(&out, BAR), 3);
    assert_int_equal(times(&out, BAR_FAILED), 1);
    assert_non_null(strstr(out.data, "<title>kernel: 1.250 s, from 0.000 s on</title>"));
    assert_non_null(strstr(out.data, "onboot/000-x: 0.500 s, from 2.000 s on, FAILED; it exited with status 3"));
    /* 624 units are 4 s: the kernel's bar ends at a quarter and a sixteenth. */
    assert_non_null(strstr(out.data, "<rect x=\"290.0\" y=\"81.0\" width=\"195.0\""));
    assert_int_equal(times(&out, " s</text>"), 9); /* 0 to 4 s, in halves */
    assert_string_equal(out.data + out.len - 7, "</svg>\n");
    assert_null(strstr(out.data, "did not fit"));
}

/* A part of the bar; of several processors it may be more than the whole, and then it is the whole. */
static void who_used_the_processor_is_darker(void **state) {
    static const struct bootchart_row rows[] = {
        {.name = "idle", .detail = "", .end_s = 4, .ok = true},
        {.name = "half", .detail = "why", .end_s = 4, .cpu_s = 2, .ok = true},
        {.name = "much", .detail = "", .end_s = 4, .cpu_s = 9, .ok = true},
        {.name = "instant", .detail = "", .start_s = 4, .end_s = 4, .cpu_s = 1, .ok = true}};
    AUTO_BUF struct buf out = BUF_INIT;
    (void)state;
    draw(&out, rows, 4, 0);
    assert_int_equal(times(&out, CPU), 4); /* and the legend's */
    assert_non_null(strstr(out.data, "y=\"101.0\" width=\"312.0\" " BAR_HEIGHT CPU));
    assert_non_null(strstr(out.data, "y=\"121.0\" width=\"624.0\" " BAR_HEIGHT CPU));
    assert_non_null(strstr(out.data, "y=\"141.0\" width=\"1.0\" " BAR_HEIGHT CPU));
    assert_non_null(strstr(out.data, "<title>half: 4.000 s, from 0.000 s on, CPU 2.000 s; why</title>"));
}

static void lines_lead_from_what_was_waited_for(void **state) {
    static const struct bootchart_row rows[] = {
        {.name = "a", .detail = "", .end_s = 2, .ok = true},
        {.name = "b", .detail = "", .end_s = 1, .ok = true},
        {.name = "c", .detail = "", .start_s = 2, .end_s = 4, .ok = true, .waits = {0, 1, 2, 99}, .waits_len = 4}};
    AUTO_BUF struct buf out = BUF_INIT;
    (void)state;
    draw(&out, rows, 3, 0);
    assert_int_equal(times(&out, "<path"), 3); /* and the legend's */
    assert_non_null(strstr(out.data, "M602.0 88.0V128.0H602.0"));
    assert_non_null(strstr(out.data, "M446.0 108.0V128.0H602.0"));
}

static void what_did_not_fit_is_told(void **state) {
    AUTO_BUF struct buf out = BUF_INIT;
    (void)state;
    draw(&out, NULL, 0, 1);
    assert_non_null(strstr(out.data, ">1 more stage did not fit</text>"));
    buf_reset(&out);
    draw(&out, NULL, 0, 7);
    assert_non_null(strstr(out.data, ">7 more stages did not fit</text>"));
}

/* Names come from people's files. */
static void names_cannot_end_the_picture(void **state) {
    static const struct bootchart_row row = {
        .name = "</svg><script>&\"\x01\xff", .detail = "<b>", .end_s = 1, .ok = true};
    AUTO_BUF struct buf out = BUF_INIT;
    (void)state;
    draw(&out, &row, 1, 0);
    assert_int_equal(times(&out, "</svg>"), 1);
    assert_null(strstr(out.data, "<script"));
    assert_non_null(strstr(out.data, "&lt;/svg&gt;&lt;script&gt;&amp;&quot;??"));
}

static void of_a_long_name_the_pointer_tells_the_rest(void **state) {
    static const struct bootchart_row row = {
        .name = "a-name-of-more-letters-than-there-is-a-place-for", .detail = "", .depth = 8, .end_s = 1, .ok = true};
    AUTO_BUF struct buf out = BUF_INIT;
    (void)state;
    draw(&out, &row, 1, 0);
    assert_non_null(strstr(out.data, ">a-name-of-more-letter...</text>"));
    assert_non_null(strstr(out.data, "-there-is-a-place-for: 1.000 s"));
}

/* Whatever a record says: every number in the picture is a short one. */
static void odd_times_do_no_harm(void **state) {
    static const struct bootchart_row rows[] = {
        {.name = "a", .detail = "", .start_s = -1e300, .end_s = 1e300, .cpu_s = 1e300, .ok = true},
        {.name = "b", .detail = "", .start_s = 5, .end_s = -7, .cpu_s = -1, .ok = true}};
    AUTO_BUF struct buf out = BUF_INIT;
    (void)state;
    draw(&out, rows, 2, 0);
    assert_null(strstr(out.data, "\"-"));
    assert_null(strstr(out.data, "0000000"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_has_a_name_a_bar_and_a_time),
        cmocka_unit_test(names_cannot_end_the_picture),
        cmocka_unit_test(who_used_the_processor_is_darker),
        cmocka_unit_test(lines_lead_from_what_was_waited_for),
        cmocka_unit_test(what_did_not_fit_is_told),
        cmocka_unit_test(of_a_long_name_the_pointer_tells_the_rest),
        cmocka_unit_test(odd_times_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
