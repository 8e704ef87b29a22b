/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib/fdutil.h"
#include "lib/json.h"
#include "tools/config/config.h"
#include "tools/config/yaml.h"

static const struct {
    const char *yaml, *message;
} refused[] = {
    {"services:\n  - name: s\n    image: a\n    comand: [x]\n",
     "t.yml:4:5: unknown key \"comand\"; did you mean \"command\"?"},
    {"kernle: {}\n", "t.yml:1:1: unknown key \"kernle\"; did you mean \"kernel\"?"},
    {"zzz: 1\n", "t.yml:1:1: unknown key \"zzz\"; check its name and its indentation"},
    {"init: one\n", "t.yml:1:7: \"init\" must be a list, not a string"},
    {"init:\n  - a\n  - 5\n", "t.yml:3:5: \"init\" must be a string, not a number; put it in quotes"},
    {"services:\n  - image: a\n", "t.yml:2:5: \"name\" is missing here; add it"},
    {"init: []\ninit: []\n", "t.yml:2:1: \"init\" is there twice; remove one"},
    {"kernel:\n  cmdline: true\n", "t.yml:2:12: \"cmdline\" must be a string, not true or false; put it in quotes"},
    {"services:\n", "t.yml:1:10: \"services\" must be a list, not nothing; give a value or leave the key out"},
    {"onboot:\n  - {name: a, image: b, readonly: \"true\"}\n",
     "t.yml:2:35: \"readonly\" must be true or false, not a string"},
    {"onboot:\n  - {name: a, image: b, oomScoreAdj: 1.5}\n",
     "t.yml:2:38: \"oomScoreAdj\" must be a whole number, not a number with a fraction"},
    {"init: [a]\n---\ninit: [b]\n", "t.yml:3:1: a second document begins here; put it into a file of its own"},
    {"services:\n  - {<<: word, name: a}\n", "t.yml:2:10: \"<<\" takes a map, as *NAME, or a list of them"},
};

static void test_errors_name_line_and_column(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
        struct err e = {0};
        json_t *doc = NULL;
        assert_int_equal(yaml_read("t.yml", refused[i].yaml, strlen(refused[i].yaml), &schema_config, true, &doc, &e),
                         -EINVAL);
        assert_string_equal(e.msg, refused[i].message);
        assert_null(doc);
    }
}

static void test_merge_keys_fill_what_is_missing(void **state) {
    const char *text = "services:\n  - &base {name: a, image: x, net: host, readonly: true}\n"
                       "  - {<<: *base, name: b, net: new}\n  - {name: c, <<: [{pid: host}, *base], image: y}\n";
    struct err e = {0};
    AUTO_JSON json_t *doc = NULL;

    (void)state;
    if (yaml_read("t.yml", text, strlen(text), &schema_config, false, &doc, &e))
        fail_msg("%s", e.msg);
    const json_t *services = json_object_get(doc, "services");
    AUTO_FREE char *b = json_dumps(json_array_get(services, 1), JSON_COMPACT | JSON_SORT_KEYS);
    AUTO_FREE char *c = json_dumps(json_array_get(services, 2), JSON_COMPACT | JSON_SORT_KEYS);
    assert_string_equal(b, "{\"image\":\"x\",\"name\":\"b\",\"net\":\"new\",\"readonly\":true}");
    assert_string_equal(c, "{\"image\":\"y\",\"name\":\"c\",\"net\":\"host\",\"pid\":\"host\",\"readonly\":true}");
}

static void test_broken_yaml_names_its_place(void **state) {
    const char *text = "init:\n\t- a\n";
    struct err e = {0};
    json_t *doc = NULL;

    (void)state;
    assert_int_equal(yaml_read("t.yml", text, strlen(text), &schema_config, true, &doc, &e), -EINVAL);
    assert_non_null(strstr(e.msg, "t.yml:2:1: not valid YAML"));
}

static void test_aliases_do_not_explode(void **state) {
    char text[4096] = "init: &a [x]\nonboot:\n";
    struct err e = {0};
    json_t *doc = NULL;

    (void)state;
    /* a list that contains itself */
    (void)snprintf(text, sizeof(text), "init: &a [x, *a]\n");
    assert_int_equal(yaml_read("t.yml", text, strlen(text), &schema_config, true, &doc, &e), -EINVAL);
}

static void test_scalars(void **state) {
    const char *text = "services:\n  - {name: n, image: i, oomScoreAdj: 0x10, uid: \"5\", gid: 5, hostname: \"yes\", "
                       "env: [A=1, yes]}\n";
    struct err e = {0};
    json_t *doc = NULL;

    (void)state;
    assert_int_equal(yaml_read("t.yml", text, strlen(text), &schema_config, true, &doc, &e), 0);
    const json_t *s = json_array_get(json_object_get(doc, "services"), 0);
    assert_int_equal(json_integer_value(json_object_get(s, "oomScoreAdj")), 16);
    assert_string_equal(json_string_value(json_object_get(s, "uid")), "5");
    assert_int_equal(json_integer_value(json_object_get(s, "gid")), 5);
    assert_string_equal(json_string_value(json_array_get(json_object_get(s, "env"), 1)), "yes");
    assert_string_equal(json_string_value(json_object_get(s, "@")), "t.yml:2:5");
    json_decref(doc);
}

static int read_texts(const char *a, const char *b, struct config *c, struct err *e) {
    const char *paths[] = {"build/test/config_a.yml", "build/test/config_b.yml"};

    assert_int_equal(mkdir_p("build/test", 0755, e), 0);
    assert_int_equal(write_file_atomic(paths[0], a, strlen(a), 0644, false, e), 0);
    assert_int_equal(write_file_atomic(paths[1], b, strlen(b), 0644, false, e), 0);
    return config_read(paths, 2, c, e);
}

static void test_files_are_merged(void **state) {
    struct config c;
    struct err e = {0};
    AUTO_JSON json_t *name = json_string("two");
    uint32_t id = 0;

    (void)state;
    assert_int_equal(read_texts("kernel: {image: k1, cmdline: a}\ninit: [i1]\nonboot: [{name: one, image: x}]\n",
                                "kernel: {cmdline: b}\ninit: [i2]\nservices: [{name: two, image: y}]\n", &c, &e),
                     0);
    assert_string_equal(c.kernel.image, "k1");
    assert_string_equal(c.kernel.cmdline, "b");
    assert_int_equal(c.init_len, 2);
    assert_string_equal(c.init[1], "i2");
    assert_int_equal(c.containers_len[SECTION_SERVICES], 1);
    assert_int_equal(config_user_id(&c, name, &id, &e), 0);
    assert_int_equal(id, 101);
    config_free(&c);
}

static void test_duplicate_service_names_both_places(void **state) {
    struct config c;
    struct err e = {0};

    (void)state;
    assert_int_equal(read_texts("services:\n  - {name: w, image: x}\n", "services: [{name: w, image: y}]\n", &c, &e),
                     -EINVAL);
    assert_non_null(strstr(e.msg, "config_b.yml:1:12: there is another service named \"w\" at "));
    assert_non_null(strstr(e.msg, "config_a.yml:2:5"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_errors_name_line_and_column),
        cmocka_unit_test(test_merge_keys_fill_what_is_missing),
        cmocka_unit_test(test_broken_yaml_names_its_place),
        cmocka_unit_test(test_aliases_do_not_explode),
        cmocka_unit_test(test_scalars),
        cmocka_unit_test(test_files_are_merged),
        cmocka_unit_test(test_duplicate_service_names_both_places),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
