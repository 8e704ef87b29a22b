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
    return oci_spec_make(&empty, &c, config, "amd64", NULL, out, e);
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

static void test_wrong_types_in_the_image_are_told(void **state) {
    static const struct {
        const char *image, *says; /* NULL: it is fine */
    } cases[] = {
        {"{\"config\":{\"Entrypoint\":[1,null]}}", "\"Entrypoint\" of its configuration is no list of strings"},
        {"{\"config\":{\"Cmd\":\"sh\"}}", "\"Cmd\" of its configuration is no list of strings"},
        {"{\"config\":{\"Cmd\":{}}}", "\"Cmd\" of its configuration is no list of strings"},
        {"{\"config\":{\"Env\":[5]}}", "\"Env\" of its configuration is no list of strings"},
        {"{\"config\":{\"WorkingDir\":3}}", "\"WorkingDir\" of its configuration is no string"},
        {"{\"config\":{\"Labels\":[]}}", "\"Labels\" of its configuration is no map"},
        {LABEL "5}}}", "\"Labels[org.mobyproject.config]\" of its configuration is no string"},
        {"{\"config\":[]}", "\"config\" of its configuration is no map"},
        {"{\"config\":{\"Entrypoint\":null,\"Cmd\":[],\"Env\":null,\"WorkingDir\":null,\"Labels\":null}}", NULL},
        {"{\"config\":null}", NULL},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        AUTO_OCI_SPEC struct oci_spec s;
        struct err e = {0};
        int r = make("{\"command\":[\"x\"]}", cases[i].image, &s, &e);
        assert_int_equal(r, cases[i].says ? -EINVAL : 0);
        if (cases[i].says) {
            assert_non_null(strstr(e.msg, "t.yml:1:1: could not use image i: "));
            assert_non_null(strstr(e.msg, cases[i].says));
        }
    }
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

static void test_errors_are_told_at_their_places(void **state) {
    AUTO_PROBLEMS struct problems p = {0};
    AUTO_OCI_SPEC struct oci_spec s;
    AUTO_JSON json_t *yaml = json_loads("{\"binds.add\":[\"/b:/b\",\"x\"],\"@binds.add\":[\"t.yml:2:1\",\"t.yml:2:9\"],"
                                        "\"uid\":\"u\",\"@uid\":[\"t.yml:3:1\"]}",
                                        0, NULL);
    AUTO_JSON json_t *image =
        json_loads(LABEL "\"{\\\"binds\\\":[\\\"/a:/a\\\",\\\"l\\\"],\\\"gid\\\":\\\"g\\\"}\"}}}", 0, NULL);
    const struct config_container c = {.name = "n", .image = "i", .place = "t.yml:1:1", .fields = yaml};
    const struct config empty = {0};
    struct err e = {0};

    (void)state;
    assert_true(yaml && image);
    assert_int_equal(oci_spec_make(&empty, &c, image, "amd64", &p, &s, &e), -EINVAL);
    assert_int_equal(p.count, 4);
    assert_non_null(strstr(p.text.data, "t.yml:2:9: the bind \"x\""));
    assert_non_null(strstr(p.text.data, "t.yml:1:1: the bind \"l\""));
    assert_non_null(strstr(p.text.data, "t.yml:3:1: no container is named \"u\""));
    assert_non_null(strstr(p.text.data, "t.yml:1:1: no container is named \"g\""));
    assert_null(s.config);
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

static void test_volumes_become_their_merged_directories(void **state) {
    static struct config_volume volumes[] = {{.name = "v"}, {.name = "ro", .readonly = true}};
    static const struct {
        const char *fields, *wrong; /* wrong NULL: /m is mounted from /containers/volumes/v/merged or .../ro/merged */
    } cases[] = {
        {"{\"binds\":[\"v:/m\"]}", NULL},
        {"{\"binds.add\":[\"ro:/m:ro\"]}", NULL},
        {"{\"mounts\":[{\"type\":\"bind\",\"source\":\"v\",\"destination\":\"/m\"}]}", NULL},
        {"{\"mounts\":[{\"type\":\"bind\",\"source\":\"ro\",\"destination\":\"/m\",\"options\":[\"ro\"]}]}", NULL},
        {"{\"binds\":[\"ro:/m\"]}", "the volume \"ro\" is read-only"},
        {"{\"binds\":[\"ro:/m:rw\"]}", "the volume \"ro\" is read-only"},
        {"{\"binds\":[\"x:/m\"]}", "there is no volume \"x\""},
        {"{\"mounts\":[{\"type\":\"bind\",\"source\":\"ro\",\"destination\":\"/m\",\"options\":[\"rw\",\"ro\"]}]}",
         "the volume \"ro\" is read-only"},
        {"{\"mounts\":[{\"type\":\"bind\",\"destination\":\"/m\"}]}", "there is no volume \"\""},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        AUTO_JSON json_t *yaml = json_loads(cases[i].fields, 0, NULL), *image = json_object();
        AUTO_OCI_SPEC struct oci_spec s;
        struct config config = {.volumes = volumes, .volumes_len = ARRAY_SIZE(volumes)};
        struct config_container c = {.name = "n", .image = "i", .place = "t.yml:1:1", .fields = yaml};
        struct err e = {0};
        int r = oci_spec_make(&config, &c, image, "amd64", NULL, &s, &e);
        if (cases[i].wrong) {
            assert_int_equal(r, -EINVAL);
            assert_non_null(strstr(e.msg, cases[i].wrong));
            continue;
        }
        assert_int_equal(r, 0);
        const json_t *m = json_array_get(json_object_get(s.config, "mounts"), 2); /* sorted: /dev, /dev/pts, /m */
        assert_string_equal(json_string_value(json_object_get(m, "destination")), "/m");
        assert_string_equal(json_string_value(json_object_get(m, "source")), strstr(cases[i].fields, "ro")
                                                                                 ? "/containers/volumes/ro/merged"
                                                                                 : "/containers/volumes/v/merged");
    }
}

static void test_words_of_ours_are_passed_on_as_they_are(void **state) {
    AUTO_OCI_SPEC struct oci_spec s;
    struct err e = {0};

    (void)state;
    assert_int_equal(
        make("{\"runtime\":{\"@\":[\"t.yml:1:2\"],\"restart\":{\"@\":[\"t.yml:1:3\"],\"policy\":\"always\"},"
             "\"after\":[\"b\"],\"@after\":[\"t.yml:1:4\"],\"ready\":{\"tcp\":80},\"stop\":{\"timeout\":\"1s\"},"
             "\"health\":{\"http\":\"80/\"},\"onfail\":\"reboot\",\"deadline\":\"5m\"}}",
             "{}", &s, &e),
        0);
    assert_json(json_object_get(s.runtime, "restart"), "{\"policy\":\"always\"}");
    assert_json(json_object_get(s.runtime, "after"), "[\"b\"]");
    assert_json(json_object_get(s.runtime, "ready"), "{\"tcp\":80}");
    assert_json(json_object_get(s.runtime, "health"), "{\"http\":\"80/\"}");
    assert_json(json_object_get(s.runtime, "stop"), "{\"timeout\":\"1s\"}");
    assert_json(json_object_get(s.runtime, "onfail"), "\"reboot\"");
    assert_json(json_object_get(s.runtime, "deadline"), "\"5m\"");
    assert_null(json_object_get(s.runtime, "@after"));
}

static void test_interfaces_have_what_is_given(void **state) {
    AUTO_OCI_SPEC struct oci_spec s;
    struct err e = {0};

    (void)state;
    assert_int_equal(
        make("{\"runtime\":{\"interfaces\":[{\"name\":\"a\",\"add\":\"vlan\",\"parent\":\"eth0\",\"id\":5},"
             "{\"name\":\"b\",\"add\":\"macvlan\",\"parent\":\"eth1\",\"mode\":\"bridge\"},"
             "{\"name\":\"c\",\"peer\":\"d\"}]}}",
             "{}", &s, &e),
        0);
    assert_json(json_object_get(s.runtime, "interfaces"),
                "[{\"name\":\"a\",\"add\":\"vlan\",\"parent\":\"eth0\",\"id\":5,\"createInRoot\":false},"
                "{\"name\":\"b\",\"add\":\"macvlan\",\"parent\":\"eth1\",\"mode\":\"bridge\",\"createInRoot\":false},"
                "{\"name\":\"c\",\"peer\":\"d\",\"createInRoot\":false}]");
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
        cmocka_unit_test(test_wrong_types_in_the_image_are_told),
        cmocka_unit_test(test_capabilities),
        cmocka_unit_test(test_errors_are_told_at_their_places),
        cmocka_unit_test(test_unlimited_is_written_as_64_bits),
        cmocka_unit_test(test_volumes_become_their_merged_directories),
        cmocka_unit_test(test_words_of_ours_are_passed_on_as_they_are),
        cmocka_unit_test(test_interfaces_have_what_is_given),
        cmocka_unit_test(test_root_mounts_come_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
