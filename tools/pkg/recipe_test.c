/* SPDX-License-Identifier: Apache-2.0 */
/* What a build.yml may say, and where the message points when it says something else. */
#include "tools/pkg/recipe.h"

#include <errno.h>
#include <string.h>

#include "tools/pkg/fixture_test.h"

static int load(const char *text, struct recipe *r, struct err *e) {
    fixture_write("build.yml", text);
    return recipe_load(fixture_path("."), r, e);
}

static const struct {
    const char *yaml, *message; /* after FIXTURE/./build.yml */
} refused[] = {
    {"org: x\n", ":1:1: \"image\" is missing here; add it"},
    {"image: x\nimages: y\n", ":2:1: unknown key \"images\"; did you mean \"image\"?"},
    {"image: x\ndebian:\n  packages: libc6\n", ":3:13: \"packages\" must be a list, not a string"},
    {"image: x\nfiles:\n  - {path: a, contents: b, mode: 0755}\n",
     ":3:34: \"mode\" must be a string, not a number; put it in quotes"},
    {"image: x\nconfig:\n  nett: host\n", ":3:3: unknown key \"nett\"; did you mean \"net\"?"},
    {"image: Caps\n", ":1:1: \"image\" cannot be \"Caps\"; use lower case letters, digits, . _ and -"},
    {"image: x\norg: \"a b\"\n", ":1:1: \"org\" cannot be \"a b\"; use lower case letters, digits, . _ and -"},
    {"image: x\ndebian:\n  packages: [libc6, -oDir=x]\n", ":3:3: \"-oDir=x\" cannot be the name of a Debian package"},
    {"image: x\nkernel: {package: \"\"}\n", ":2:9: \"\" cannot be the name of a Debian package"},
    {"image: x\ncopy:\n  - {from: a, to: b}\n  - {from: a, to: ../b}\n", ":4:5: path \"../b\" leaves its root"},
    {"image: x\ncopy:\n  - from: a\n    to: b\n    mode: \"0888\"\n",
     ":3:5: mode \"0888\" is not octal, such as \"0755\""},
    {"image: x\nfiles:\n  - {path: a}\n",
     ":3:5: \"a\" has none of \"contents\", \"symlink\" and \"directory: true\"; add one"},
    {"image: x\nfiles:\n  - {path: a, directory: false}\n",
     ":3:5: \"a\" has none of \"contents\", \"symlink\" and \"directory: true\"; add one"},
    {"image: x\nfiles:\n  - {path: a, contents: b, symlink: c}\n",
     ":3:5: \"a\" has more than one of \"contents\", \"symlink\" and \"directory: true\"; keep one"},
    {"image: x\nfiles:\n  - {path: a, symlink: \"\"}\n", ":3:5: \"a\" is a symlink to nothing; give its target"},
    {"image: x\nfiles:\n  - {path: ., contents: b}\n", ":3:5: path \".\" is the root; name something in it"},
    {"image: x\nlinks:\n  - {target: /a, paths: [b, c/../d]}\n", ":3:5: path \"c/../d\" leaves its root"},
};

static void errors_name_file_line_and_column(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
        AUTO_FREE char *message = NULL;
        AUTO_RECIPE struct recipe r;
        struct err e = {0};

        assert_int_equal(load(refused[i].yaml, &r, &e), -EINVAL);
        assert_true(asprintf(&message, "%s%s", fixture_path("./build.yml"), refused[i].message) > 0);
        assert_string_equal(e.msg, message);
        assert_null(r.doc);
    }
}

static void a_missing_file_is_named(void **state) {
    AUTO_RECIPE struct recipe r;
    struct err e = {0};

    (void)state;
    assert_int_equal(recipe_load(fixture_path("none"), &r, &e), -ENOENT);
    assert_non_null(strstr(e.msg, fixture_path("none/build.yml")));
}

static void modes_are_octal(void **state) {
    static const struct {
        const char *text;
        int result;
        mode_t mode;
    } cases[] = {{"0755", 0, 0755},      {"644", 0, 0644},     {"0", 0, 0},           {"01777", 0, 01777},
                 {"7777", 0, 07777},     {"", -EINVAL, 0},     {"0o755", -EINVAL, 0}, {"+755", -EINVAL, 0},
                 {" 755", -EINVAL, 0},   {"u+x", -EINVAL, 0},  {"10000", -EINVAL, 0}, {"000755", -EINVAL, 0},
                 {"00755x", -EINVAL, 0}, {"-0755", -EINVAL, 0}};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        json_t *item = json_pack("{s:s}", "mode", cases[i].text);
        mode_t mode = 0;
        assert_int_equal(recipe_mode(item, 0600, &mode, NULL), cases[i].result);
        if (!cases[i].result)
            assert_int_equal(mode, cases[i].mode);
        json_decref(item);
    }
    json_t *none = json_object();
    mode_t mode = 0;
    assert_int_equal(recipe_mode(none, 0600, &mode, NULL), 0);
    assert_int_equal(mode, 0600);
    json_decref(none);
}

static void keep_then_exclude_choose_paths(void **state) {
    AUTO_RECIPE struct recipe r;

    (void)state;
    assert_int_equal(load("image: x\n"
                          "debian:\n"
                          "  packages: [a]\n"
                          "  keep: [usr/lib/*, \"bin/[ab]?\", etc/conf]\n"
                          "  exclude: [\"*.a\", usr/lib/doc/*]\n"
                          "kernel:\n"
                          "  package: k\n"
                          "  exclude: [lib/modules/*/drivers/*]\n",
                          &r, NULL),
                     0);
    static const struct {
        const char *section, *path;
        bool taken;
    } cases[] = {
        {"debian", "usr/lib/x.so", true},
        {"debian", "usr/lib/deep/er/x.so", true}, /* * matches slashes */
        {"debian", "usr/lib", false},
        {"debian", "usr/lib/x.a", false},
        {"debian", "usr/lib/doc/x", false},
        {"debian", "bin/ax", true},
        {"debian", "bin/cx", false},
        {"debian", "bin/a", false},
        {"debian", "etc/conf", true},
        {"debian", "etc/conf.d", false},
        {"kernel", "boot/vmlinuz", true}, /* without keep everything is */
        {"kernel", "lib/modules/6.1/drivers/a", false},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        if (recipe_takes(&r, cases[i].section, cases[i].path) != cases[i].taken)
            fail_msg("%s %s: not as it should be", cases[i].section, cases[i].path);
}

static void arches_are_all_unless_given(void **state) {
    AUTO_RECIPE struct recipe any, one;

    (void)state;
    assert_int_equal(load("image: x\n", &any, NULL), 0);
    assert_true(recipe_has_arch(&any, "arm64"));
    assert_string_equal(any.org, "keelson");
    assert_int_equal(load("image: x\norg: o\narches: [amd64]\n", &one, NULL), 0);
    assert_true(recipe_has_arch(&one, "amd64"));
    assert_false(recipe_has_arch(&one, "arm64"));
    assert_string_equal(one.org, "o");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(errors_name_file_line_and_column),
        FIXTURE_TEST(a_missing_file_is_named),
        FIXTURE_TEST(modes_are_octal),
        FIXTURE_TEST(keep_then_exclude_choose_paths),
        FIXTURE_TEST(arches_are_all_unless_given),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
