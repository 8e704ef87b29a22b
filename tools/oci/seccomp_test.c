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
#include "tools/oci/oci.h"
#include "tools/oci/seccomp.h"

/* linux.seccomp for a container with these fields; NULL: it has none. */
static json_t *profile_of(const char *fields, const char *image, const char *arch) {
    AUTO_JSON json_t *yaml = json_loads(fields, 0, NULL), *config = json_loads(image, 0, NULL);
    AUTO_OCI_SPEC struct oci_spec s;
    struct config empty = {0};
    struct config_container c = {.name = "n", .image = "i", .place = "t.yml:1:1", .fields = yaml};
    struct err e = {0};

    assert_non_null(yaml);
    assert_non_null(config);
    assert_int_equal(oci_spec_make(&empty, &c, config, arch, NULL, &s, &e), 0);
    return json_incref(json_object_get(json_object_get(s.config, "linux"), "seccomp"));
}

/* What the first rule for the system call says that has no arguments: "" if there is none. */
static const char *action_for(const json_t *profile, const char *name) {
    const json_t *rule, *word;
    size_t i, k;

    json_array_foreach(json_object_get(profile, "syscalls"), i, rule) {
        json_array_foreach(json_object_get(rule, "names"), k, word) {
            if (!strcmp(json_string_value(word), name) && !json_object_get(rule, "args"))
                return json_string_value(json_object_get(rule, "action"));
        }
    }
    return "";
}

static void test_the_default_follows_the_capabilities(void **state) {
    static const struct {
        const char *name, *cap;
    } cases[] = {
        {"mount", "CAP_SYS_ADMIN"},
        {"unshare", "CAP_SYS_ADMIN"},
        {"setns", "CAP_SYS_ADMIN"},
        {"bpf", "CAP_BPF"},
        {"bpf", "CAP_SYS_ADMIN"},
        {"reboot", "CAP_SYS_BOOT"},
        {"chroot", "CAP_SYS_CHROOT"},
        {"init_module", "CAP_SYS_MODULE"},
        {"acct", "CAP_SYS_PACCT"},
        {"kcmp", "CAP_SYS_PTRACE"},
        {"iopl", "CAP_SYS_RAWIO"},
        {"clock_settime", "CAP_SYS_TIME"},
        {"vhangup", "CAP_SYS_TTY_CONFIG"},
        {"mbind", "CAP_SYS_NICE"},
        {"syslog", "CAP_SYSLOG"},
        {"perf_event_open", "CAP_PERFMON"},
        {"open_by_handle_at", "CAP_DAC_READ_SEARCH"},
    };

    (void)state;
    AUTO_JSON json_t *bare = profile_of("{}", "{}", "amd64");
    assert_string_equal(json_string_value(json_object_get(bare, "defaultAction")), "SCMP_ACT_ERRNO");
    assert_int_equal(json_integer_value(json_object_get(bare, "defaultErrnoRet")), EPERM);
    assert_string_equal(action_for(bare, "openat"), "SCMP_ACT_ALLOW");
    assert_string_equal(action_for(bare, "ptrace"), "SCMP_ACT_ALLOW");
    assert_string_equal(action_for(bare, "clone3"), "SCMP_ACT_ERRNO");
    assert_string_equal(action_for(bare, "keyctl"), "");
    assert_string_equal(action_for(bare, "kexec_load"), "");
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char fields[128];
        (void)snprintf(fields, sizeof(fields), "{\"capabilities\":[\"%s\"]}", cases[i].cap);
        AUTO_JSON json_t *with = profile_of(fields, "{}", "amd64");
        assert_string_equal(action_for(bare, cases[i].name), "");
        assert_string_equal(action_for(with, cases[i].name), "SCMP_ACT_ALLOW");
    }
}

/* Of the arguments of a rule for clone: no bit of CLONE_NEW*. */
static void test_clone_without_namespaces(void **state) {
    AUTO_JSON json_t *bare = profile_of("{}", "{}", "amd64");
    const json_t *rule, *arg = NULL;
    size_t i;

    (void)state;
    json_array_foreach(json_object_get(bare, "syscalls"), i, rule) {
        if (!strcmp(json_string_value(json_array_get(json_object_get(rule, "names"), 0)), "clone"))
            arg = json_array_get(json_object_get(rule, "args"), 0);
    }
    assert_non_null(arg);
    assert_string_equal(json_string_value(json_object_get(arg, "op")), "SCMP_CMP_MASKED_EQ");
    assert_int_equal(json_integer_value(json_object_get(arg, "value")), 0x7e020000);
    assert_int_equal(json_integer_value(json_object_get(arg, "valueTwo")), 0);
}

static void test_who_has_a_profile(void **state) {
    static const struct {
        const char *fields, *label;
        bool has;
    } cases[] = {
        {"{}", "{}", true},
        {"{\"capabilities\":[\"all\"]}", "{}", false},
        {"{\"capabilities\":[\"all\"],\"seccomp\":\"default\"}", "{}", true},
        {"{\"seccomp\":\"unconfined\"}", "{}", false},
        {"{}", "{\\\"seccomp\\\":\\\"unconfined\\\"}", false},
        {"{\"seccomp\":\"default\"}", "{\\\"seccomp\\\":\\\"unconfined\\\"}", true},
        {"{\"seccomp\":\"\"}", "{}", true},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char image[256];
        (void)snprintf(image, sizeof(image), "{\"config\":{\"Labels\":{\"org.mobyproject.config\":\"%s\"}}}",
                       cases[i].label);
        AUTO_JSON json_t *profile = profile_of(cases[i].fields, image, "amd64");
        assert_true((profile != NULL) == cases[i].has);
    }
}

/* As a file on disk, through `seccomp: FILE`; returns oci_spec_make()'s result. */
static int use_file(const char *text, json_t **out, struct err *e) {
    char path[] = "/tmp/seccomp-test-XXXXXX";
    int fd = mkstemp(path);
    AUTO_JSON json_t *yaml = json_pack("{s:s, s:[s]}", "seccomp", path, "capabilities", "CAP_KILL");
    AUTO_JSON json_t *image = json_object();
    AUTO_OCI_SPEC struct oci_spec s;
    struct config empty = {0};
    struct config_container c = {.name = "n", .image = "i", .place = "t.yml:1:1", .fields = yaml};

    assert_true(fd >= 0);
    assert_int_equal(write_full(fd, text, strlen(text)), 0);
    assert_int_equal(close(fd), 0);
    int r = oci_spec_make(&empty, &c, image, "amd64", NULL, &s, e);
    if (!r && out)
        *out = json_incref(json_object_get(json_object_get(s.config, "linux"), "seccomp"));
    assert_int_equal(unlink(path), 0);
    return r;
}

static void test_a_file_in_dockers_form(void **state) {
    AUTO_JSON json_t *got = NULL;
    struct err e = {0};

    (void)state;
    assert_int_equal(
        use_file(
            "{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"flags\":[\"SECCOMP_FILTER_FLAG_LOG\"],"
            "\"archMap\":[{\"architecture\":\"SCMP_ARCH_X86_64\",\"subArchitectures\":[\"SCMP_ARCH_X86\"]},"
            "{\"architecture\":\"SCMP_ARCH_AARCH64\",\"subArchitectures\":[\"SCMP_ARCH_ARM\"]}],\"syscalls\":["
            "{\"names\":[\"read\",\"fadvise64_64\",\"riscv_flush_icache\",\"not_a_call\"],"
            "\"action\":\"SCMP_ACT_ALLOW\",\"comment\":\"x\"},"
            "{\"name\":\"write\",\"action\":\"SCMP_ACT_ERRNO\",\"errnoRet\":5},"
            "{\"names\":[\"a1\",\"kill\"],\"action\":\"SCMP_ACT_ALLOW\",\"includes\":{\"caps\":[\"CAP_KILL\"]},"
            "\"args\":[{\"index\":1,\"value\":9,\"op\":\"SCMP_CMP_NE\"}]},"
            "{\"names\":[\"open\"],\"action\":\"SCMP_ACT_ALLOW\",\"includes\":{\"caps\":[\"CAP_KILL\",\"CAP_BPF\"]}},"
            "{\"names\":[\"close\"],\"action\":\"SCMP_ACT_ALLOW\",\"excludes\":{\"caps\":[\"CAP_KILL\"]}},"
            "{\"names\":[\"stat\"],\"action\":\"SCMP_ACT_ALLOW\",\"includes\":{\"arches\":[\"arm64\"]}},"
            "{\"names\":[\"pipe\"],\"action\":\"SCMP_ACT_ALLOW\",\"excludes\":{\"arches\":[\"amd64\"]}},"
            "{\"names\":[\"poll\"],\"action\":\"SCMP_ACT_ALLOW\",\"includes\":{\"minKernel\":\"4.8\"}}]}",
            &got, &e),
        0);
    AUTO_JSON json_t *want =
        json_loads("{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"flags\":[\"SECCOMP_FILTER_FLAG_LOG\"],"
                   "\"architectures\":[\"SCMP_ARCH_X86_64\",\"SCMP_ARCH_X86\"],\"syscalls\":["
                   "{\"names\":[\"read\",\"fadvise64_64\"],\"action\":\"SCMP_ACT_ALLOW\"},"
                   "{\"names\":[\"write\"],\"action\":\"SCMP_ACT_ERRNO\",\"errnoRet\":5},"
                   "{\"names\":[\"kill\"],\"action\":\"SCMP_ACT_ALLOW\",\"args\":[{\"index\":1,\"value\":9,\"op\":"
                   "\"SCMP_CMP_NE\"}]},{\"names\":[\"poll\"],\"action\":\"SCMP_ACT_ALLOW\"}]}",
                   0, NULL);
    assert_non_null(want);
    assert_true(json_equal(got, want));
}

/* A profile with one rule, which has this member, too. */
#define RULE(member)                                                                                                   \
    "{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"syscalls\":[{\"names\":[\"read\"],\"action\":\"SCMP_ACT_ALLOW\"," member  \
    "}]}"

static void test_numbers_have_64_bits(void **state) {
    const char *text =
        RULE("\"comment\":\"-1, 18446744073709551615 \\\" -2\",\"args\":[{\"index\":0,\"value\":18446744073709551615,"
             "\"valueTwo\":9223372036854775808,\"op\":\"SCMP_CMP_MASKED_EQ\"},"
             "{\"index\":1,\"value\":9223372036854775807,\"valueTwo\":null,\"op\":\"SCMP_CMP_EQ\"}]");
    AUTO_JSON json_t *got = NULL;
    struct err e = {0};

    (void)state;
    if (use_file(text, &got, &e) < 0)
        fail_msg("%s", e.msg);
    AUTO_FREE char *dumped = oci_dump(got);
    assert_non_null(strstr(dumped, "\"value\": 18446744073709551615,"));
    assert_non_null(strstr(dumped, "\"valueTwo\": 9223372036854775808,"));
    assert_non_null(strstr(dumped, "\"value\": 9223372036854775807,"));
}

static void test_files_that_are_wrong(void **state) {
    static const struct {
        const char *text, *says;
    } cases[] = {
        {"{", "could not parse"},
        {"{}", "has the action \"\""},
        {"{\"defaultAction\":\"SCMP_ACT_MAYBE\"}", "SCMP_ACT_MAYBE"},
        {"{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"architectures\":[\"SCMP_ARCH_Z80\"]}", "SCMP_ARCH_Z80"},
        {"{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[\"raed\"],\"action\":\"SCMP_ACT_ERRNO\"}]}",
         "\"raed\""},
        {"{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[7],\"action\":\"SCMP_ACT_ERRNO\"}]}",
         "something else than a string at $.syscalls[0].names[0]"},
        {"{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[\"read\"],\"action\":\"no\"}]}", "\"no\""},
        {"{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"syscalls\":[{\"names\":[\"read\"],\"action\":\"SCMP_ACT_ALLOW\","
         "\"args\":[{\"index\":0,\"value\":1,\"op\":\"==\"}]}]}",
         "\"==\""},
        {"{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"syscalls\":[{\"names\":[\"read\"],\"action\":\"SCMP_ACT_ALLOW\","
         "\"args\":[{\"index\":6,\"value\":1,\"op\":\"SCMP_CMP_EQ\"}]}]}",
         "above 5"},
        {"{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"syscalls\":[{\"names\":[\"read\"],\"action\":\"SCMP_ACT_ALLOW\","
         "\"args\":[{\"index\":0,\"value\":\"1\",\"op\":\"SCMP_CMP_EQ\"}]}]}",
         "something else than a number from 0 to 18446744073709551615 at $.syscalls[0].args[0].value"},
        {RULE("\"args\":{\"index\":0,\"value\":1,\"op\":\"SCMP_CMP_EQ\"}"), "a list at $.syscalls[0].args"},
        {RULE("\"args\":[null]"), "an object at $.syscalls[0].args[0]"},
        {RULE("\"args\":[{\"index\":0,\"value\":-1,\"op\":\"SCMP_CMP_EQ\"}]"), "at $.syscalls[0].args[0].value"},
        {RULE("\"args\":[{\"index\":0,\"value\":18446744073709551616,\"op\":\"SCMP_CMP_EQ\"}]"),
         "at $.syscalls[0].args[0].value"},
        {RULE("\"args\":[{\"index\":-1,\"value\":1,\"op\":\"SCMP_CMP_EQ\"}]"), "at $.syscalls[0].args[0].index"},
        {RULE("\"excludes\":{\"caps\":\"CAP_KILL\"}"), "a list at $.syscalls[0].excludes.caps"},
        {RULE("\"includes\":[]"), "an object at $.syscalls[0].includes"},
        {RULE("\"includes\":{\"minKernel\":4.8}"), "a string at $.syscalls[0].includes.minKernel"},
        {RULE("\"errnoRet\":\"1\""), "a number from 0 to 65535 at $.syscalls[0].errnoRet"},
        {RULE("\"Args\":[]"), "the key \"Args\" at $.syscalls[0], which means nothing there"},
        {"{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"syscalls\":[{\"names\":\"x\"}]}", "a list at $.syscalls[0].names"},
        {"{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"syscalls\":{}}", "a list at $.syscalls"},
        {"{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"syscalls\":[[]]}", "an object at $.syscalls[0]"},
        {"{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"defaultErrnoRet\":\"1\"}", "65535 at $.defaultErrnoRet"},
        {"{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"flags\":\"x\"}", "a list at $.flags"},
        {"{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"architectures\":\"x\"}", "a list at $.architectures"},
        {"{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"archMap\":{}}", "a list at $.archMap"},
        {"{\"defaultAction\":5}", "a string at $.defaultAction"},
        {"[]", "an object at $"},
        {"{\"a\": 18446744073709551616, x}", "line 1, column 29"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct err e = {0};
        assert_true(use_file(cases[i].text, NULL, &e) < 0);
        assert_non_null(strstr(e.msg, "t.yml:1:1: "));
        if (!strstr(e.msg, cases[i].says))
            fail_msg("%s", e.msg);
    }
}

static void test_names_are_those_of_the_architecture(void **state) {
    AUTO_JSON json_t *amd64 = profile_of("{}", "{}", "amd64"), *arm64 = profile_of("{}", "{}", "arm64");

    (void)state;
    assert_string_equal(json_string_value(json_array_get(json_object_get(amd64, "architectures"), 0)),
                        "SCMP_ARCH_X86_64");
    assert_string_equal(json_string_value(json_array_get(json_object_get(arm64, "architectures"), 0)),
                        "SCMP_ARCH_AARCH64");
    assert_string_equal(action_for(amd64, "arch_prctl"), "SCMP_ACT_ALLOW");
    assert_string_equal(action_for(arm64, "arch_prctl"), "");
    assert_string_equal(action_for(amd64, "epoll_wait_old"), "SCMP_ACT_ALLOW");
    assert_string_equal(action_for(arm64, "epoll_wait_old"), "");
    assert_string_equal(action_for(amd64, "set_tls"), "");
    assert_string_equal(action_for(arm64, "set_tls"), "SCMP_ACT_ALLOW"); /* of 32-bit arm, which is allowed there */
    assert_string_equal(action_for(amd64, "riscv_hwprobe"), "");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_default_follows_the_capabilities),
        cmocka_unit_test(test_clone_without_namespaces),
        cmocka_unit_test(test_who_has_a_profile),
        cmocka_unit_test(test_a_file_in_dockers_form),
        cmocka_unit_test(test_numbers_have_64_bits),
        cmocka_unit_test(test_files_that_are_wrong),
        cmocka_unit_test(test_names_are_those_of_the_architecture),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
