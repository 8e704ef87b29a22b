/* SPDX-License-Identifier: Apache-2.0 */
#include "svcd/spec.h"

#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib/fdutil.h"
#include "lib/json.h"

static char bundle[] = "/tmp/spec_test.XXXXXX", path[64];

static int load(const char *text, char **spec, struct err *e) {
    assert_int_equal(write_file_atomic(path, text, strlen(text), 0644, false, NULL), 0);
    *spec = NULL;
    return spec_load(bundle, spec, e);
}

static const char *root_path(const json_t *doc) {
    return json_string_value(json_object_get(json_object_get(doc, "root"), "path"));
}

static void a_relative_root_is_put_into_the_bundle(void **state) {
    AUTO_FREE char *spec = NULL;
    char want[96];
    (void)state;
    assert_int_equal(load("{\"root\":{\"path\":\"rootfs\",\"readonly\":true},\"hostname\":\"w\xc3\xa9\"}", &spec, NULL),
                     0);
    AUTO_JSON json_t *doc = json_loads(spec, 0, NULL);
    (void)snprintf(want, sizeof(want), "%s/rootfs", bundle);
    assert_string_equal(root_path(doc), want);
    assert_true(json_is_true(json_object_get(json_object_get(doc, "root"), "readonly")));
    assert_string_equal(json_string_value(json_object_get(doc, "hostname")), "w\xc3\xa9");
}

/* The rest of the spec goes through as it is, numbers of 64 bits and the order of its keys included. */
static void nothing_else_is_changed(void **state) {
    static const char text[] =
        "{\"ociVersion\":\"1.0.0\",\"root\":{\"path\":\"/srv/x\"},\"zeta\":[9223372036854775807,-1],"
        "\"alpha\":{\"limit\":1125899906842624,\"none\":null}}";
    AUTO_FREE char *spec = NULL;
    (void)state;
    assert_int_equal(load(text, &spec, NULL), 0);
    assert_string_equal(spec, text);
}

static void what_is_wrong_is_named(void **state) {
    static const char *const cases[][2] = {
        {"{}", "$.root is missing"},
        {"{\"root\":{}}", "$.root.path is missing"},
        {"{\"root\":{\"path\":5}}", "$.root.path is not a string"},
        {"{\"root\":[]}", "$.root is not an object"},
        {"[]", "$.root is missing"},
        {"{\"root\":", "line 1"},
        {"", "config.json"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct err e = {0};
        char *spec;
        assert_int_equal(load(cases[i][0], &spec, &e), -EINVAL);
        assert_null(spec);
        if (!strstr(e.msg, cases[i][1]) || !strstr(e.msg, "config.json"))
            fail_msg("\"%s\" does not say \"%s\" and which file", e.msg, cases[i][1]);
    }
}

static void a_bundle_without_spec_is_an_error(void **state) {
    struct err e = {0};
    char *spec = NULL;
    (void)state;
    assert_int_equal(spec_load("/nonexistent", &spec, &e), -ENOENT);
    assert_non_null(strstr(e.msg, "/nonexistent/config.json"));
}

/* A root in it has a path that JSON cannot hold. */
static void a_bundle_whose_name_is_no_utf8_is_named(void **state) {
    char odd[PATH_MAX], config[PATH_MAX];
    char *spec = NULL;
    struct err e = {0};
    (void)state;
    (void)snprintf(odd, sizeof(odd), "%s/w\xe9", bundle);
    (void)snprintf(config, sizeof(config), "%s/w\xe9/config.json", bundle);
    assert_int_equal(mkdir_p(odd, 0755, NULL), 0);
    assert_int_equal(write_file_atomic(config, "{\"root\":{\"path\":\"rootfs\"}}", 26, 0644, false, NULL), 0);
    assert_int_equal(spec_load(odd, &spec, &e), -EILSEQ);
    assert_non_null(strstr(e.msg, "/config.json: its path is no UTF-8"));
    assert_int_equal(unlink(config), 0);
    assert_int_equal(rmdir(odd), 0);
}

static int setup(void **state) {
    (void)state;
    if (!mkdtemp(bundle))
        return -1;
    (void)snprintf(path, sizeof(path), "%s/config.json", bundle);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    (void)unlink(path);
    return rmdir(bundle);
}

static void a_root_that_is_missing_is_named(void **state) {
    AUTO_FREE char *spec = NULL;
    char root[96];
    struct err e = {0};
    (void)state;
    assert_int_equal(load("{\"root\":{\"path\":\"rootfs\"}}", &spec, NULL), 0);
    assert_int_equal(spec_check(bundle, &e), -ENOENT);
    assert_non_null(strstr(e.msg, "config.json: $.root.path: "));
    (void)snprintf(root, sizeof(root), "%s/rootfs", bundle);
    assert_int_equal(mkdir_p(root, 0755, NULL), 0);
    assert_int_equal(spec_check(bundle, NULL), 0);
    assert_int_equal(rmdir(root), 0);
}

static void a_dump_is_what_containerd_gets(void **state) {
    AUTO_FREE char *spec = NULL, *file = path_join(bundle, "dump");
    AUTO_BUF struct buf text = BUF_INIT;
    (void)state;
    assert_int_equal(load("{\"root\":{\"path\":\"rootfs\"},\"hostname\":\"x\"}", &spec, NULL), 0);
    assert_int_equal(spec_dump("/tmp", strrchr(bundle, '/') + 1, file, NULL), 0);
    assert_int_equal(read_file(file, 4096, &text, NULL), 0);
    assert_non_null(strstr(text.data, "{\n    \""));
    AUTO_JSON json_t *dumped = json_loads(text.data, 0, NULL), *expected = json_loads(spec, 0, NULL);
    assert_true(json_equal(dumped, expected));
    assert_int_equal(unlink(file), 0);
}

static void whose_pids_it_has_is_known(void **state) {
    static const struct {
        const char *namespaces;
        bool own;
    } cases[] = {
        {"[{\"type\":\"mount\"},{\"type\":\"pid\"}]", true},
        {"[{\"type\":\"pid\",\"path\":\"\"}]", true},
        {"[{\"type\":\"pid\",\"path\":\"/proc/7/ns/pid\"}]", false},
        {"[{\"type\":\"mount\"},{}]", false},
        {"{}", false},
    };
    char text[128];
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        (void)snprintf(text, sizeof(text), "{\"linux\":{\"namespaces\":%s}}", cases[i].namespaces);
        assert_int_equal(write_file_atomic(path, text, strlen(text), 0644, false, NULL), 0);
        assert_int_equal(spec_has_own_pids(bundle), cases[i].own);
    }
    assert_false(spec_has_own_pids("/nonexistent"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_root_that_is_missing_is_named),   cmocka_unit_test(whose_pids_it_has_is_known),
        cmocka_unit_test(a_dump_is_what_containerd_gets),    cmocka_unit_test(a_relative_root_is_put_into_the_bundle),
        cmocka_unit_test(nothing_else_is_changed),           cmocka_unit_test(what_is_wrong_is_named),
        cmocka_unit_test(a_bundle_without_spec_is_an_error), cmocka_unit_test(a_bundle_whose_name_is_no_utf8_is_named),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
