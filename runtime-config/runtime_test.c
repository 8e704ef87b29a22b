/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime-config/runtime.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mount.h>

#include <cmocka.h>

#include "lib/fdutil.h"

static char path[] = "/tmp/runtime_test.XXXXXX";

static int load(const char *text, struct runtime *rt, struct err *e) {
    assert_int_equal(write_file_atomic(path, text, strlen(text), 0644, false, NULL), 0);
    return runtime_load(path, rt, e);
}

static int setup(void **state) {
    (void)state;
    int fd = mkstemp(path);
    return fd < 0 ? -1 : close(fd);
}

static int teardown(void **state) {
    (void)state;
    return unlink(path);
}

static void what_linuxkit_writes_is_read(void **state) {
    struct runtime rt;
    struct err e = {0};
    (void)state;
    assert_int_equal(load("{\"cgroups\":[\"podruntime\"],\"mounts\":[{\"destination\":\"/a/tmp\",\"type\":\"tmpfs\","
                          "\"source\":\"tmpfs\"},{\"destination\":\"/a/tmp\",\"options\":[\"remount\",\"private\"]}],"
                          "\"mkdir\":[\"/var/x\"],\"interfaces\":[],\"bindNS\":{\"cgroup\":\"\",\"ipc\":\"\","
                          "\"mnt\":\"\",\"net\":\"/run/netns/wg\",\"pid\":\"\",\"user\":\"\",\"uts\":\"\"},"
                          "\"namespace\":\"\"}",
                          &rt, &e),
                     0);
    assert_int_equal(rt.cgroups.len, 1);
    assert_string_equal(rt.cgroups.v[0], "podruntime");
    assert_int_equal(rt.mounts_len, 2);
    assert_string_equal(rt.mounts[0].type, "tmpfs");
    assert_string_equal(rt.mounts[1].type, "");
    assert_string_equal(rt.mounts[1].options.v[1], "private");
    assert_string_equal(rt.mkdir.v[0], "/var/x");
    assert_string_equal(rt.bind_ns[NS_NET], "/run/netns/wg");
    assert_string_equal(rt.bind_ns[NS_UTS], "");
    assert_true(runtime_binds_namespaces(&rt));
    runtime_free(&rt);
}

static void an_absent_file_asks_for_nothing(void **state) {
    struct runtime rt;
    (void)state;
    assert_int_equal(runtime_load("/nonexistent/runtime.json", &rt, NULL), 0);
    assert_int_equal(rt.mounts_len, 0);
    assert_false(runtime_binds_namespaces(&rt));
    runtime_free(&rt);
}

static void what_is_wrong_is_named(void **state) {
    static const char *const cases[][2] = {
        {"{\"mounts\":[{\"type\":\"tmpfs\"}]}", "$.mounts[0].destination is missing"},
        {"{\"mounts\":[{\"destination\":\"/x\",\"options\":[\"ro\",5]}]}", "$.mounts[0].options[1] is not a string"},
        {"{\"mkdir\":\"/x\"}", "$.mkdir is not an array"},
        {"{\"bindNS\":{\"net\":\"relative\"}}", "$.bindNS.net is not an absolute path"},
        {"{\"deadline\":\"soon\"}", "$.deadline is not a time"},
        {"{\"onfail\":\"panic\"}", "$.onfail is not continue, reboot, poweroff or halt"},
        {"{\"mounts\":[5]}", "$.mounts[0] is not an object"},
        {"[]", "not an object"},
        {"{", "line 1"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct runtime rt;
        struct err e = {0};
        assert_int_equal(load(cases[i][0], &rt, &e), -EINVAL);
        if (!strstr(e.msg, cases[i][1]))
            fail_msg("\"%s\" does not say \"%s\"", e.msg, cases[i][1]);
    }
}

static void durations_add_up(void **state) {
    static const struct {
        const char *text;
        int result;
        uint64_t ms;
    } cases[] = {{"250ms", 0, 250},
                 {"90s", 0, 90000},
                 {"1m30s", 0, 90000},
                 {"2h", 0, 7200000},
                 {"168h", 0, 604800000},
                 {"169h", -ERANGE, 0},
                 {"99999999999999999999h", -ERANGE, 0},
                 {"", -EINVAL, 0},
                 {"5", -EINVAL, 0},
                 {"m", -EINVAL, 0},
                 {"-5s", -EINVAL, 0},
                 {"5 s", -EINVAL, 0},
                 {"0s", -ERANGE, 0},
                 {"1.5h", -EINVAL, 0}};
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        uint64_t ms = 0;
        assert_int_equal(duration_parse(cases[i].text, &ms), cases[i].result);
        assert_int_equal(ms, cases[i].ms);
    }
}

static void a_deadline_and_what_follows_are_read(void **state) {
    struct runtime rt;
    struct err e = {0};
    (void)state;
    assert_int_equal(load("{\"deadline\":\"5m\",\"onfail\":\"poweroff\"}", &rt, &e), 0);
    assert_int_equal(rt.deadline_ms, 300000);
    assert_int_equal(rt.onfail, ONFAIL_POWEROFF);
    runtime_free(&rt);
}

static void options_become_flags_and_data(void **state) {
    const char *list[] = {"ro", "size=10%", "nosuid", "rw", "rbind", "lowerdir=/a:/b", "private"};
    struct strings options = {list, ARRAY_SIZE(list)};
    unsigned long flags;
    char data[64];
    (void)state;
    assert_int_equal(mount_options(&options, &flags, data, sizeof(data)), 0);
    assert_int_equal(flags, MS_NOSUID | MS_BIND | MS_REC | MS_PRIVATE);
    assert_string_equal(data, "size=10%,lowerdir=/a:/b");
    assert_int_equal(mount_options(&options, &flags, data, 10), -E2BIG);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_linuxkit_writes_is_read),
        cmocka_unit_test(an_absent_file_asks_for_nothing),
        cmocka_unit_test(what_is_wrong_is_named),
        cmocka_unit_test(durations_add_up),
        cmocka_unit_test(a_deadline_and_what_follows_are_read),
        cmocka_unit_test(options_become_flags_and_data),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
