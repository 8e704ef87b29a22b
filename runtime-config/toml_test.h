/* SPDX-License-Identifier: Apache-2.0 */
/* What TOML's tests share: a valid document is compared with its JSON, an invalid one must name its place. */
#ifndef RUNTIME_CONFIG_TOML_TEST_H
#define RUNTIME_CONFIG_TOML_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "runtime-config/toml.h"

struct valid {
    const char *text, *json;
};

struct invalid {
    const char *text, *error; /* without the name and a colon; a beginning is enough */
};

static inline void check_valid(const struct valid *cases, size_t len) {
    for (size_t i = 0; i < len; i++) {
        struct err e = {0};
        struct toml t;
        if (toml_parse(&t, "x", cases[i].text, strlen(cases[i].text), &e) < 0)
            fail_msg("%s\nis refused: %s", cases[i].text, e.msg);
        AUTO_FREE char *json = json_dumps(t.root, JSON_COMPACT);
        assert_non_null(json);
        if (strcmp(json, cases[i].json) != 0)
            fail_msg("%s\nis %s\nand not %s", cases[i].text, json, cases[i].json);
        toml_free(&t);
    }
}

static inline void check_invalid(const struct invalid *cases, size_t len) {
    for (size_t i = 0; i < len; i++) {
        struct err e = {0};
        struct toml t;
        if (toml_parse(&t, "x", cases[i].text, strlen(cases[i].text), &e) != -EINVAL)
            fail_msg("%s\nis not refused", cases[i].text);
        assert_null(t.root);
        if (strncmp(e.msg, "x:", 2) != 0 || strncmp(e.msg + 2, cases[i].error, strlen(cases[i].error)) != 0)
            fail_msg("%s\nsays \"%s\"\nand not \"x:%s\"", cases[i].text, e.msg, cases[i].error);
    }
}

#define CHECK_VALID(cases) check_valid(cases, ARRAY_SIZE(cases))
#define CHECK_INVALID(cases) check_invalid(cases, ARRAY_SIZE(cases))

#endif
