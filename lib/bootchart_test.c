/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/bootchart.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib/auto.h"

static unsigned times(const struct buf *out, const char *what) {
    unsigned n = 0;

    for (const char *p = out->data; (p = strstr(p, what)); p += strlen(what))
        n++;
    return n;
}

static void every_row_has_a_name_a_bar_and_a_time(void **state) {
    static const struct bootchart_row rows[] = {{"kernel", "", 0, 0, 1.25, true},
                                                {"init.d", "", 0, 1.5, 4, true},
                                                {"onboot/000-x", "it exited with status 3", 1, 2, 2.5, false}};
    AUTO_BUF struct buf out = BUF_INIT;
    (void)state;
    assert_int_equal(bootchart_draw("a boot", rows, 3, &out), 0);
    assert_int_equal(times(&out, "<title>"), 3);
    assert_int_equal(times(&out, "<rect"), 4); /* and the ground */
    assert_int_equal(times(&out, "fill=\"#c0504d\""), 1);
    assert_non_null(strstr(out.data, "<title>kernel: 1.250 s, from 0.000 s on</title>"));
    assert_non_null(strstr(out.data, "onboot/000-x: 0.500 s, from 2.000 s on, FAILED; it exited with status 3"));
    /* 660 units are 4 s: the kernel's bar ends at a quarter and a sixteenth. */
    assert_non_null(strstr(out.data, "<rect x=\"280.0\" y=\"57.0\" width=\"206.2\""));
    assert_int_equal(times(&out, " s</text>"), 9); /* 0 to 4 s, in halves */
    assert_string_equal(out.data + out.len - 7, "</svg>\n");
}

/* Names come from people's files. */
static void names_cannot_end_the_picture(void **state) {
    static const struct bootchart_row row = {"</svg><script>&\"\x01\xff", "<b>", 0, 0, 1, true};
    AUTO_BUF struct buf out = BUF_INIT;
    (void)state;
    assert_int_equal(bootchart_draw("<t>", &row, 1, &out), 0);
    assert_int_equal(times(&out, "</svg>"), 1);
    assert_null(strstr(out.data, "<script"));
    assert_non_null(strstr(out.data, "&lt;/svg&gt;&lt;script&gt;&amp;&quot;??"));
}

static void nothing_is_a_picture_too(void **state) {
    AUTO_BUF struct buf out = BUF_INIT;
    (void)state;
    assert_int_equal(bootchart_draw("", NULL, 0, &out), 0);
    assert_int_equal(times(&out, "<rect"), 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_has_a_name_a_bar_and_a_time),
        cmocka_unit_test(names_cannot_end_the_picture),
        cmocka_unit_test(nothing_is_a_picture_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
