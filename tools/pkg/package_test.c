/* SPDX-License-Identifier: Apache-2.0 */
/* Tag templates, and tags put into text. */
#include "tools/pkg/package.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "tools/pkg/update.h"

static void templates(void **state) {
    static const struct {
        const char *template, *tag; /* NULL: refused */
    } cases[] = {
        {"{{.Hash}}", "h"},
        {"v1-{{ .Hash }}-x", "v1-h-x"},
        {"{{.Hash}}{{.Hash}}", "hh"},
        {"fixed", "fixed"},
        {"", ""},
        {"{{.Other}}", NULL},
        {"{{.Hash", NULL},
        {"{{.Hash | x}}", NULL},
        {"a}}", "a}}"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        AUTO_FREE char *tag = NULL;
        int r = package_expand_tag(cases[i].template, "h", &tag, NULL);
        assert_int_equal(r, cases[i].tag ? 0 : -EINVAL);
        if (cases[i].tag)
            assert_string_equal(tag, cases[i].tag);
    }
}

static void tags_in_text(void **state) {
    static const struct {
        const char *text, *now;
        size_t changed;
    } cases[] = {
        {"image: o/i:1\n", "image: o/i:NEW\n", 1},
        {"\"o/i:1@sha256:ab\", docker.io/o/i:2", "\"o/i:NEW\", docker.io/o/i:NEW", 2},
        {"o/i:NEW", "o/i:NEW", 0},
        {"x.io/o/i:1 more/o/i:1 o/i-other:1 xo/i:1", "x.io/o/i:1 more/o/i:1 o/i-other:1 xo/i:1", 0},
        {"o/i: 1", "o/i: 1", 0},
        {"", "", 0},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        AUTO_FREE char *now = NULL;
        size_t changed = 99;
        assert_int_equal(update_text(cases[i].text, "o/i:NEW", &now, &changed, NULL), 0);
        assert_string_equal(now, cases[i].now);
        assert_int_equal(changed, cases[i].changed);
    }
}

static void an_organisation_may_have_a_port(void **state) {
    AUTO_FREE char *now = NULL;
    size_t changed = 0;

    (void)state;
    assert_int_equal(update_text("h:5/o/i:1", "h:5/o/i:2", &now, &changed, NULL), 0);
    assert_string_equal(now, "h:5/o/i:2");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(templates),
        cmocka_unit_test(tags_in_text),
        cmocka_unit_test(an_organisation_may_have_a_port),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
