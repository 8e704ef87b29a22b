/* SPDX-License-Identifier: Apache-2.0 */
/* What needs no server: references, credentials, options, and which parts of an index are wanted. */
#include "tools/registry/registry.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "lib/fdutil.h"
#include "lib/json.h"
#include "tools/cache/closure.h"
#include "tools/registry/creds.h"
#include "tools/registry/options.h"
#include "tools/registry/sign_in.h"
#include "tools/trust/trust.h"

#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void references_are_taken_apart(void **state) {
    static const struct {
        const char *ref, *registry, *repository, *tag, *digest;
    } cases[] = {
        {"alpine", "docker.io", "library/alpine", "latest", NULL},
        {"linuxkit/init:v1", "docker.io", "linuxkit/init", "v1", NULL},
        {"localhost:5000/a/b/c", "localhost:5000", "a/b/c", "latest", NULL},
        {"[::1]:5000/a/b:t", "[::1]:5000", "a/b", "t", NULL},
        {"x.io/a:t@sha256:" HEX, "x.io", "a", "t", "sha256:" HEX},
        {"x.io/a@sha256:" HEX, "x.io", "a", NULL, "sha256:" HEX},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        AUTO_REFERENCE struct reference r = {0};
        assert_int_equal(reference_parse(cases[i].ref, &r, NULL), 0);
        assert_string_equal(r.registry, cases[i].registry);
        assert_string_equal(r.repository, cases[i].repository);
        assert_string_equal(r.tag ? r.tag : "-", cases[i].tag ? cases[i].tag : "-");
        assert_string_equal(r.digest ? r.digest : "-", cases[i].digest ? cases[i].digest : "-");
        assert_string_equal(reference_version(&r), cases[i].digest ? cases[i].digest : cases[i].tag);
    }
}

static void only_this_machine_is_loopback(void **state) {
    static const char *const own[] = {"localhost",      "localhost:5000", "127.0.0.1",
                                      "127.1.2.3:5000", "[::1]",          "[::1]:5000"};
    static const char *const others[] = {"127.example.org",
                                         "127.0.0.1.example.org:5000",
                                         "localhost.example.org",
                                         "128.0.0.1",
                                         "[::2]:5000",
                                         "x.io",
                                         "127.",
                                         ""};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(own); i++)
        assert_true(reference_is_loopback(own[i]));
    for (size_t i = 0; i < ARRAY_SIZE(others); i++)
        assert_false(reference_is_loopback(others[i]));
}

static void bad_references_are_refused(void **state) {
    static const char *const bad[] = {"",
                                      "a b",
                                      "../a",
                                      "a/../b",
                                      "a/./b",
                                      "a:",
                                      "a:-t",
                                      "a:.t",
                                      "a//b",
                                      "/a",
                                      "a@sha256:12",
                                      ("a@md5:" HEX),
                                      "a:b:c/",
                                      "x./io:250/a:x",
                                      "a/b:c:d",
                                      "a\nb:c",
                                      "-a/b:c",
                                      "a@",
                                      ("a@sha256:" HEX "0")};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        AUTO_REFERENCE struct reference r = {0};
        struct err e = {0};
        assert_int_equal(reference_parse(bad[i], &r, &e), -EINVAL);
        assert_non_null(strstr(e.msg, "reference"));
    }
}

static void write_config(const char *dir, const char *text) {
    AUTO_FREE char *path = path_join(dir, "config.json");

    assert_non_null(path);
    assert_int_equal(write_file_atomic(path, text, strlen(text), 0600, false, NULL), 0);
}

static void dockers_configuration_is_read(void **state) {
    static const struct {
        const char *key, *host;
        bool found;
    } cases[] = {
        {"https://index.docker.io/v1/", "docker.io", true},
        {"x.io", "x.io", true},
        {"https://x.io/v2/", "x.io", true},
        {"x.io:5000", "x.io", false},
        {"x.io", "x.io:5000", false},
        {"notx.io", "x.io", false},
    };
    char dir[] = "/tmp/creds-XXXXXX";

    (void)state;
    assert_non_null(mkdtemp(dir));
    assert_int_equal(setenv("DOCKER_CONFIG", dir, 1), 0);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        AUTO_CREDS struct creds c = {0};
        char text[256];
        (void)snprintf(text, sizeof(text), "{\"auths\":{\"%s\":{\"auth\":\"am9lOnM6ZWNyZXQ=\"}}}", cases[i].key);
        write_config(dir, text);
        assert_int_equal(creds_find(cases[i].host, &c, NULL), 0);
        assert_string_equal(c.user ? c.user : "-", cases[i].found ? "joe" : "-");
        assert_string_equal(c.password ? c.password : "-", cases[i].found ? "s:ecret" : "-");
        AUTO_FREE char *basic = cases[i].found ? creds_basic(&c) : NULL;
        assert_string_equal(basic ? basic : "-", cases[i].found ? "Basic am9lOnM6ZWNyZXQ=" : "-");
    }
    AUTO_CREDS struct creds token = {0};
    write_config(dir, "{\"auths\":{\"x.io\":{\"identitytoken\":\"abc\"}}}");
    assert_int_equal(creds_find("x.io", &token, NULL), 0);
    assert_string_equal(token.identity, "abc");
    AUTO_CREDS struct creds bad = {0};
    write_config(dir, "{\"auths\":{\"x.io\":{\"auth\":\"%%%%\"}}}");
    assert_int_equal(creds_find("x.io", &bad, NULL), -EINVAL);
    AUTO_FREE char *path = path_join(dir, "config.json");
    assert_int_equal(unlink(path) || rmdir(dir), 0);
    assert_int_equal(unsetenv("DOCKER_CONFIG"), 0);
}

static void challenges_are_understood(void **state) {
    static const struct {
        const char *text;
        enum sign_in way;
        const char *realm, *service;
    } cases[] = {
        {"Bearer realm=\"https://x/token\",service=\"x\",scope=\"repository:a:pull,push\"", SIGN_IN_BEARER,
         "https://x/token", "x"},
        {"bearer  scope=\"service=evil,realm=evil\" , REALM = \"https://x/?a=1,realm=b\"", SIGN_IN_BEARER,
         "https://x/?a=1,realm=b", NULL},
        {"Bearer realm=plain,service=s,realm=second", SIGN_IN_BEARER, "plain", "s"},
        {"Bearer realm=\"a\\\"b\"", SIGN_IN_BEARER, "a\"b", NULL},
        {"Bearer realm=\"open", SIGN_IN_BEARER, "open", NULL},
        {"Bearer", SIGN_IN_BEARER, NULL, NULL},
        {"Bearer realm", SIGN_IN_BEARER, NULL, NULL},
        {"Basic realm=\"x\"", SIGN_IN_BASIC, NULL, NULL},
        {"Basically", SIGN_IN_UNKNOWN, NULL, NULL},
        {"Negotiate", SIGN_IN_UNKNOWN, NULL, NULL},
        {"", SIGN_IN_UNKNOWN, NULL, NULL},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        AUTO_CHALLENGE struct challenge c = {0};
        assert_int_equal(challenge_parse(cases[i].text, &c), 0);
        assert_int_equal(c.way, cases[i].way);
        assert_string_equal(c.realm ? c.realm : "-", cases[i].realm ? cases[i].realm : "-");
        assert_string_equal(c.service ? c.service : "-", cases[i].service ? cases[i].service : "-");
    }
}

static void tokens_are_found(void **state) {
    static const struct {
        const char *text, *token;
    } cases[] = {
        {"{\"token\":\"a.b\"}", "a.b"},
        {"{\"access_token\":\"c\"}", "c"},
        {"{\"token\":\"\"}", NULL},
        {"{\"token\":\"a\\nX: b\"}", NULL},
        {"{\"token\":7}", NULL},
        {"[]", NULL},
        {"", NULL},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        AUTO_FREE char *token = NULL;
        assert_int_equal(token_parse(cases[i].text, strlen(cases[i].text), &token), cases[i].token ? 0 : -EPROTO);
        assert_string_equal(token ? token : "-", cases[i].token ? cases[i].token : "-");
    }
}

static void credentials_are_those_of_the_host(void **state) {
    static const char lines[] = "x.io=joe:a=b\nhttps://index.docker.io/v1/=hub:p\nx.io=ann:later word\n";
    static const struct {
        const char *host, *user, *password;
    } cases[] = {{"x.io", "ann", "later word"}, {"docker.io", "hub", "p"}, {"y.io", NULL, NULL}};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        AUTO_CREDS struct creds c = {0};
        assert_int_equal(creds_listed(lines, cases[i].host, &c, NULL), 0);
        assert_string_equal(c.user ? c.user : "-", cases[i].user ? cases[i].user : "-");
        assert_string_equal(c.password ? c.password : "-", cases[i].password ? cases[i].password : "-");
    }
    static const char *const bad[] = {"x.io", "=a:b", "x.io=ab", "x.io=:b"};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        AUTO_CREDS struct creds c = {0};
        assert_int_equal(creds_listed(bad[i], "x.io", &c, NULL), -EINVAL);
    }
    AUTO_CREDS struct creds none = {0};
    assert_int_equal(creds_listed(NULL, "x.io", &none, NULL), 0);
    assert_null(none.user);
}

static void options_come_before_the_environment(void **state) {
    struct registry_flags f;

    (void)state;
    assert_int_equal(setenv("KEELSON_MIRROR", "http://c", 1), 0);
    registry_flags_init(&f);
    assert_string_equal(f.options.mirrors, "http://c");
    assert_true(registry_flags_take(&f, OPT_REGISTRY_MIRROR, "http://a"));
    assert_true(registry_flags_take(&f, OPT_REGISTRY_MIRROR, "http://b"));
    assert_string_equal(f.options.mirrors, "http://a http://b http://c");
    assert_false(registry_flags_take(&f, 'x', "y"));
    registry_flags_free(&f);
    assert_int_equal(unsetenv("KEELSON_MIRROR"), 0);
}

static void an_index_gives_a_platform_and_its_attestation(void **state) {
    AUTO_JSON json_t *index =
        json_loads("{\"manifests\":[{\"digest\":\"a\",\"platform\":{\"os\":\"linux\",\"architecture\":\"amd64\"}},"
                   "{\"digest\":\"b\",\"platform\":{\"os\":\"linux\",\"architecture\":\"arm64\"}},"
                   "{\"digest\":\"w\",\"platform\":{\"os\":\"windows\",\"architecture\":\"amd64\"}},"
                   "{\"digest\":\"x\",\"platform\":{\"os\":\"unknown\",\"architecture\":\"unknown\"},"
                   "\"annotations\":{\"vnd.docker.reference.digest\":\"b\"}}]}",
                   0, NULL);
    const json_t *list = json_object_get(index, "manifests");
    static const bool wanted[] = {false, true, false, true};
    char platforms[64];

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(wanted); i++) {
        assert_int_equal(index_wants(index, json_array_get(list, i), "arm64"), wanted[i]);
        assert_true(index_wants(index, json_array_get(list, i), NULL));
        assert_false(index_wants(index, json_array_get(list, i), "s390x"));
    }
    AUTO_JSON json_t *arm =
        json_loads("{\"manifests\":[{\"digest\":\"6\",\"platform\":{\"os\":\"linux\",\"architecture\":\"arm\","
                   "\"variant\":\"v6\"}},"
                   "{\"digest\":\"7\",\"platform\":{\"os\":\"linux\",\"architecture\":\"arm\",\"variant\":\"v7\"}}]}",
                   0, NULL);
    for (size_t i = 0; i < 2; i++) {
        const json_t *entry = json_array_get(json_object_get(arm, "manifests"), i);
        assert_true(index_wants(arm, entry, "arm"));
        assert_int_equal(index_wants(arm, entry, "arm/v7"), i == 1);
        assert_false(index_wants(arm, entry, "arm/v8"));
        assert_false(index_wants(arm, entry, "arm64"));
    }
    assert_string_equal(index_platforms(index, platforms, sizeof(platforms)),
                        "linux/amd64, linux/arm64, windows/amd64");
}

static void trust_lists_images_and_organisations(void **state) {
    AUTO_JSON json_t *trust = json_loads(
        "{\"image\":[\"linuxkit/init\",\"a/b:1\",\"x.io/c\"],\"org\":[\"team\",\"x.io/deep/org\"]}", 0, NULL);
    static const struct {
        const char *ref;
        bool listed;
    } cases[] = {
        {"linuxkit/init:abc", true},
        {"linuxkit/other", false},
        {"a/b:1", true},
        {"a/b:2", false},
        {"x.io/c:7", true},
        {"y.io/c:7", false},
        {"team/anything", true},
        {"teams/anything", false},
        {"x.io/deep/org/i", true},
        {"x.io/deep/org/more/i", false},
        {"x.io/team/i", false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        AUTO_REFERENCE struct reference r = {0};
        assert_int_equal(reference_parse(cases[i].ref, &r, NULL), 0);
        assert_int_equal(trust_lists(trust, &r), cases[i].listed);
        assert_false(trust_lists(NULL, &r));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(references_are_taken_apart),
        cmocka_unit_test(only_this_machine_is_loopback),
        cmocka_unit_test(bad_references_are_refused),
        cmocka_unit_test(dockers_configuration_is_read),
        cmocka_unit_test(challenges_are_understood),
        cmocka_unit_test(tokens_are_found),
        cmocka_unit_test(credentials_are_those_of_the_host),
        cmocka_unit_test(options_come_before_the_environment),
        cmocka_unit_test(an_index_gives_a_platform_and_its_attestation),
        cmocka_unit_test(trust_lists_images_and_organisations),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
