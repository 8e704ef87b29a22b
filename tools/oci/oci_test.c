/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib/json.h"
#include "tools/oci/oci.h"

static int make(const char *fields, const char *image, struct oci_spec *out, struct err *e) {
    AUTO_JSON json_t *yaml = json_loads(fields, 0, NULL), *config = json_loads(image, 0, NULL);
    struct config empty = {0};
    struct config_container c = {.name = "n", .image = "i", .place = "t.yml:1:1", .fields = yaml};

    assert_non_null(yaml);
    assert_non_null(config);
    return oci_spec_make(&empty, &c, config, out, e);
}

static void assert_json(const json_t *got, const char *want) {
    AUTO_JSON json_t *expected = json_loads(want, JSON_DECODE_ANY, NULL);

    assert_non_null(expected);
    if (!json_equal(got, expected)) {
        char *text = got ? json_dumps(got, JSON_ENCODE_ANY) : NULL;
        print_error("got %s, expected %s\n", text ? text : "nothing", want);
        free(text);
        fail();
    }
}

static const json_t *at(const json_t *doc, const char *a, const char *b) {
    return json_object_get(json_object_get(doc, a), b);
}

static void test_defaults_come_from_the_image(void **state) {
    AUTO_OCI_SPEC struct oci_spec s;
    struct err e = {0};

    (void)state;
    assert_int_equal(make("{}",
                          "{\"config\":{\"Entrypoint\":[\"/e\"],\"Cmd\":[\"c\"],\"Env\":[\"A=1\"],"
                          "\"WorkingDir\":\"/w\"}}",
                          &s, &e),
                     0);
    assert_json(at(s.config, "process", "args"), "[\"/e\",\"c\"]");
    assert_json(at(s.config, "process", "env"), "[\"A=1\"]");
    assert_json(at(s.config, "process", "cwd"), "\"/w\"");
    assert_json(at(s.config, "process", "capabilities"), "{}");
    assert_json(at(s.config, "linux", "namespaces"), "[{\"type\":\"pid\"},{\"type\":\"mount\"}]");
    assert_int_equal(json_array_size(json_object_get(s.config, "mounts")), 5);
    assert_false(s.readonly);
}

#define LABEL "{\"config\":{\"Labels\":{\"org.mobyproject.config\":"
static void test_yaml_overrides_the_label(void **state) {
    AUTO_OCI_SPEC struct oci_spec s;
    struct err e = {0};

    (void)state;
    assert_int_equal(make("{\"binds.add\":[\"/b:/b:ro\"],\"net\":\"new\",\"command\":[]}",
                          LABEL "\"{\\\"binds\\\":[\\\"/a:/a\\\"],\\\"net\\\":\\\"host\\\",\\\"readonly\\\":true,"
                                "\\\"command\\\":[\\\"x\\\"],\\\"capabilities\\\":[\\\"CAP_KILL\\\"]}\"}}}",
                          &s, &e),
                     0);
    assert_true(s.readonly);
    assert_json(at(s.config, "process", "args"), "[]");
    assert_json(at(s.config, "linux", "namespaces"),
                "[{\"type\":\"network\"},{\"type\":\"pid\"},{\"type\":\"mount\"}]");
    assert_json(at(s.config, "root", "readonly"), "true");
    const json_t *mounts = json_object_get(s.config, "mounts");
    assert_json(json_array_get(mounts, 0), "{\"destination\":\"/a\",\"type\":\"bind\",\"source\":\"/a\","
                                           "\"options\":[\"rw\",\"rbind\",\"rshared\"]}");
    assert_json(json_array_get(mounts, 1), "{\"destination\":\"/b\",\"type\":\"bind\",\"source\":\"/b\","
                                           "\"options\":[\"ro\",\"rbind\"]}");
}

static void test_capabilities(void **state) {
    AUTO_OCI_SPEC struct oci_spec s;
    struct err e = {0};

    (void)state;
    assert_int_equal(make("{\"capabilities\":[\"CAP_SYS_ADMIN\",\"CAP_KILL\",\"CAP_KILL\"]}", "{}", &s, &e), 0);
    const json_t *caps = at(s.config, "process", "capabilities");
    assert_json(json_object_get(caps, "effective"), "[\"CAP_SYS_ADMIN\",\"CAP_KILL\"]");
    assert_json(json_object_get(caps, "bounding"), "[\"CAP_KILL\",\"CAP_SYS_ADMIN\"]");
    oci_spec_free(&s);
    assert_int_equal(make("{\"capabilities\":[\"all\"]}", "{}", &s, &e), 0);
    assert_int_equal(json_array_size(json_object_get(at(s.config, "process", "capabilities"), "effective")), 41);
    oci_spec_free(&s);
    assert_int_equal(make("{\"capabilities\":[\"CAP_FLY\"]}", "{}", &s, &e), -EINVAL);
    assert_non_null(strstr(e.msg, "t.yml:1:1: unknown capability \"CAP_FLY\""));
}

static void test_unlimited_is_written_as_64_bits(void **state) {
    AUTO_OCI_SPEC struct oci_spec s;
    struct err e = {0};

    (void)state;
    assert_int_equal(make("{\"rlimits\":[\"nofile, 10 ,unlimited\"],\"env\":[\"\\\"hard\\\": -1\"]}", "{}", &s, &e), 0);
    AUTO_FREE char *text = oci_dump(s.config);
    assert_non_null(strstr(text, "\"type\": \"RLIMIT_NOFILE\""));
    assert_non_null(strstr(text, "\"hard\": 18446744073709551615"));
    assert_non_null(strstr(text, "\"soft\": 10"));
    assert_non_null(strstr(text, "\\\"hard\\\": -1"));
}

static void test_root_mounts_come_first(void **state) {
    AUTO_OCI_SPEC struct oci_spec s;
    struct err e = {0};

    (void)state;
    assert_int_equal(
        make("{\"runtime\":{\"mounts\":[{\"type\":\"tmpfs\",\"destination\":\"/t\"}],\"bindNS\":{\"net\":\"/n\"}}}",
             "{}", &s, &e),
        0);
    assert_int_equal(oci_add_root_mounts(&s, "containers/services/a", "containers/services/a/lower", &e), 0);
    const json_t *mounts = json_object_get(s.runtime, "mounts");
    assert_int_equal(json_array_size(mounts), 4);
    assert_json(json_array_get(mounts, 2),
                "{\"destination\":\"/containers/services/a/rootfs\",\"type\":\"overlay\",\"source\":\"overlay\","
                "\"options\":[\"lowerdir=/containers/services/a/lower\",\"upperdir=/containers/services/a/tmp/upper\","
                "\"workdir=/containers/services/a/tmp/work\"]}");
    assert_json(at(s.runtime, "bindNS", "net"), "\"/n\"");
    assert_json(at(s.runtime, "bindNS", "uts"), "\"\"");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults_come_from_the_image),
        cmocka_unit_test(test_yaml_overrides_the_label),
        cmocka_unit_test(test_capabilities),
        cmocka_unit_test(test_unlimited_is_written_as_64_bits),
        cmocka_unit_test(test_root_mounts_come_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
