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
#include "lib/log.h"

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
    assert_int_equal(rt.policy.onfail, ONFAIL_POWEROFF);
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

/* Each sets its flag, and its opposite takes it away again. */
static void every_fstab_name_is_a_flag(void **state) {
    static const struct {
        const char *set, *clear;
        unsigned long flag;
    } names[] = {
        {"ro", "rw", MS_RDONLY},
        {"nosuid", "suid", MS_NOSUID},
        {"nodev", "dev", MS_NODEV},
        {"noexec", "exec", MS_NOEXEC},
        {"sync", "async", MS_SYNCHRONOUS},
        {"mand", "nomand", MS_MANDLOCK},
        {"noatime", "atime", MS_NOATIME},
        {"nodiratime", "diratime", MS_NODIRATIME},
        {"relatime", "norelatime", MS_RELATIME},
        {"strictatime", "nostrictatime", MS_STRICTATIME},
        {"lazytime", "nolazytime", MS_LAZYTIME},
        {"iversion", "noiversion", MS_I_VERSION},
        {"silent", "loud", MS_SILENT},
        {"nosymfollow", "symfollow", MS_NOSYMFOLLOW},
        {"dirsync", NULL, MS_DIRSYNC},
        {"remount", NULL, MS_REMOUNT},
        {"defaults", NULL, 0},
        {"bind", NULL, MS_BIND},
        {"rbind", NULL, MS_BIND | MS_REC},
        {"private", NULL, MS_PRIVATE},
        {"rprivate", NULL, MS_PRIVATE | MS_REC},
        {"slave", NULL, MS_SLAVE},
        {"rslave", NULL, MS_SLAVE | MS_REC},
        {"shared", NULL, MS_SHARED},
        {"rshared", NULL, MS_SHARED | MS_REC},
        {"unbindable", NULL, MS_UNBINDABLE},
        {"runbindable", NULL, MS_UNBINDABLE | MS_REC},
    };
    unsigned long flags;
    char data[64];
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        const char *both[] = {names[i].set, names[i].clear};
        struct strings options = {both, 1};
        assert_int_equal(mount_options(&options, &flags, data, sizeof(data)), 0);
        assert_int_equal(flags, names[i].flag);
        assert_string_equal(data, "");
        options.len = names[i].clear ? 2 : 0;
        assert_int_equal(mount_options(&options, &flags, data, sizeof(data)), 0);
        assert_int_equal(flags, 0);
        assert_string_equal(data, "");
    }
}

static char said[8192];

static void hear(const char *line, size_t len) {
    size_t used = strlen(said);

    (void)snprintf(said + used, sizeof(said) - used, "%.*s", (int)len, line);
}

static void unknown_keys_are_named_where_they_stand(void **state) {
    struct runtime rt;
    (void)state;
    said[0] = '\0';
    log_set_sink(hear);
    assert_int_equal(
        load("{\"colour\":1,\"mounts\":[{\"destination\":\"/a\",\"uid\":1}],\"bindNS\":{\"time\":\"/t\"}}", &rt, NULL),
        0);
    log_set_sink(NULL);
    runtime_free(&rt);
    assert_non_null(strstr(said, "unknown key \"colour\" in $ is ignored\n"));
    assert_non_null(strstr(said, "unknown key \"uid\" in $.mounts[0] is ignored\n"));
    assert_non_null(strstr(said, "unknown key \"time\" in $.bindNS is ignored\n"));
}

/* A hostile file must neither drive the terminal nor fill it. */
static void unknown_keys_are_harmless_and_few(void **state) {
    struct runtime rt;
    (void)state;
    said[0] = '\0';
    log_set_sink(hear);
    assert_int_equal(
        load(
            "{\"\\u001b[2Jx\\u0007\\u009b\":1,\"b\":1,\"c\":1,\"d\":1,\"e\":1,\"f\":1,\"g\":1,\"h\":1,\"i\":1,\"j\":1}",
            &rt, NULL),
        0);
    log_set_sink(NULL);
    runtime_free(&rt);
    assert_non_null(strstr(said, "\"?[2Jx???\""));
    assert_non_null(strstr(said, "\"h\""));
    assert_null(strstr(said, "\"i\""));
    assert_non_null(strstr(said, "2 more unknown keys in $ are ignored"));
}

static void a_file_that_is_too_long_is_refused(void **state) {
    struct runtime rt;
    struct err e = {0};
    (void)state;
    assert_int_equal(truncate(path, 10 << 20), 0);
    assert_int_equal(runtime_load(path, &rt, &e), -EFBIG);
    assert_non_null(strstr(e.msg, path));
    assert_non_null(strstr(e.msg, "1048576"));
}

static void a_namespace_is_read_alone(void **state) {
    char ns[8];
    struct runtime rt;
    (void)state;
    assert_int_equal(load("{\"namespace\":\"other\"}", &rt, NULL), 0);
    assert_string_equal(rt.ns, "other");
    runtime_free(&rt);
    runtime_namespace(path, ns, sizeof(ns));
    assert_string_equal(ns, "other");
    assert_int_equal(load("{\"namespace\":\"too long\"}", &rt, NULL), 0);
    runtime_free(&rt);
    runtime_namespace(path, ns, sizeof(ns));
    assert_string_equal(ns, "");
    assert_true(load("{\"namespace\":", &rt, NULL) < 0);
    runtime_namespace(path, ns, sizeof(ns));
    assert_string_equal(ns, "");
    runtime_namespace("/nosuch", ns, sizeof(ns));
    assert_string_equal(ns, "");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_namespace_is_read_alone),
        cmocka_unit_test(every_fstab_name_is_a_flag),
        cmocka_unit_test(unknown_keys_are_named_where_they_stand),
        cmocka_unit_test(unknown_keys_are_harmless_and_few),
        cmocka_unit_test(a_file_that_is_too_long_is_refused),
        cmocka_unit_test(what_linuxkit_writes_is_read),
        cmocka_unit_test(an_absent_file_asks_for_nothing),
        cmocka_unit_test(what_is_wrong_is_named),
        cmocka_unit_test(durations_add_up),
        cmocka_unit_test(a_deadline_and_what_follows_are_read),
        cmocka_unit_test(options_become_flags_and_data),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
