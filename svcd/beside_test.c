/* SPDX-License-Identifier: Apache-2.0 */
#include "svcd/beside.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/auto.h"
#include "lib/fdutil.h"
#include "lib/temp.h"

#define OWN "\"linux\":{\"namespaces\":[{\"type\":\"pid\"},{\"type\":\"mount\"}]}"
#define OWN_MOUNTS "\"linux\":{\"namespaces\":[{\"type\":\"mount\"}]}"
#define BIND(source)                                                                                                   \
    "\"mounts\":[{\"type\":\"bind\",\"source\":\"" source "\",\"destination\":\"/x\",\"options\":[\"rbind\"]}]"
#define CAPS(list) "\"process\":{\"capabilities\":{\"bounding\":[" list "]}}"

static struct temp_dir dir;
static char onboot[PATH_MAX + 64], init_d[PATH_MAX + 64];
static struct beside_places at;

static const char *below(const char *path) {
    static char full[PATH_MAX + 64];

    (void)snprintf(full, sizeof(full), "%s/%s", dir.path, path);
    return full;
}

static void put(const char *path, const char *text) {
    assert_int_equal(write_file_atomic(below(path), text, strlen(text), 0600, false, NULL), 0);
}

static void make(const char *path) {
    assert_int_equal(mkdir_p(below(path), 0700, NULL), 0);
}

/* A root with one bundle, and with our steps. */
static int begin(void **state) {
    (void)state;
    assert_int_equal(temp_dir_make(&dir, NULL, "beside-test.", NULL), 0);
    (void)snprintf(onboot, sizeof(onboot), "%s", below("onboot"));
    (void)snprintf(init_d, sizeof(init_d), "%s", below("init.d"));
    at = (struct beside_places){dir.path, onboot, init_d};
    make("onboot/000-a");
    make("init.d");
    make("var/lib/containerd");
    make("data");
    put("onboot/000-a/config.json", "{" OWN "}");
    assert_int_equal(symlink("/proc/self/exe", below("init.d/010-onboot")), 0);
    assert_int_equal(symlink("/proc/self/exe", below("init.d/020-containerd")), 0);
    return 0;
}

static int finish(void **state) {
    (void)state;
    temp_dir_remove(&dir);
    return 0;
}

static void check(const char *why) {
    struct err e = {0};
    int r = beside_check(&at, &e);

    assert_int_equal(!r, !why);
    if (why && !strstr(e.msg, why))
        fail_msg("\"%s\" does not say \"%s\"", e.msg, why);
}

static void whoever_mounts_for_itself_only_is_no_reason_to_wait(void **state) {
    static const char *const specs[] = {
        "{" OWN "}",
        "{" OWN_MOUNTS "," CAPS("\"CAP_SYS_ADMIN\"") "}", /* sysctl's */
        "{" OWN_MOUNTS "," CAPS("\"CAP_SYS_CHROOT\",\"CAP_SYS_PTRACE\"") "}",
        "{" OWN "," CAPS("\"CAP_SYS_ADMIN\",\"CAP_SYS_CHROOT\"") "}",
        "{" OWN "," BIND("/dev") "}",
        "{" OWN "," BIND("/etc/resolv.conf") "}",
        "{" OWN "," BIND("/run/resolvconf") "}",
        "{" OWN "," BIND("/var/lib/containerd2") "}",
        "{" OWN "," BIND("/lib/modules") "}",
        "{" OWN "," BIND("/proc/sys/fs/binfmt_misc") "}",
        "{" OWN ",\"hooks\":{},\"mounts\":[{\"type\":\"tmpfs\",\"source\":\"tmpfs\",\"destination\":\"/var\"}]}",
        "{\"linux\":{\"rootfsPropagation\":\"rslave\",\"namespaces\":[{\"type\":\"mount\"},{\"type\":\"pid\"}]}}",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(specs); i++) {
        put("onboot/000-a/config.json", specs[i]);
        check(NULL);
    }
}

static void whoever_may_mount_for_all_is(void **state) {
    static const struct {
        const char *spec, *why;
    } cases[] = {
        {"{}", "mount namespace"},
        {"{\"linux\":{\"namespaces\":[{\"type\":\"mount\",\"path\":\"/proc/1/ns/mnt\"}]}}", "mount namespace"},
        {"{\"linux\":{\"rootfsPropagation\":\"shared\",\"namespaces\":[{\"type\":\"mount\"}]}}", "seen by all"},
        {"{" OWN ",\"mounts\":[{\"source\":\"/data\",\"options\":[\"rbind\",\"rshared\"]}]}", "below /data"},
        {"{" OWN ",\"hooks\":{\"prestart\":[{\"path\":\"/bin/mount\"}]}}", "hooks"},
        {"{" OWN_MOUNTS "," CAPS("\"CAP_SYS_ADMIN\",\"CAP_SYS_CHROOT\"") "}", "PID 1"},
        {"{" OWN_MOUNTS "," CAPS("\"CAP_SYS_PTRACE\",\"CAP_SYS_ADMIN\"") "}", "PID 1"},
        {"{" OWN "," BIND("/") "}", "it has /,"},
        {"{" OWN "," BIND("/var") "}", "containerd uses /var/"},
        {"{" OWN "," BIND("/var/") "}", "containerd uses /var/"},
        {"{" OWN "," BIND("/var/lib/containerd/x") "}", "containerd uses /var/lib/containerd"},
        {"{" OWN "," BIND("/run") "}", "containerd uses /run/keelson"},
        {"{" OWN "," BIND("/proc") "}", "containerd uses /proc"},
        {"{" OWN "," BIND("/etc") "}", "containerd uses /etc/containerd"},
        {"{" OWN "," BIND("/data/../var/lib") "}", "/data/../var/lib"},
        {"{" OWN "," BIND("/nowhere/../var/lib") "}", "not known"},
        {"{", "config.json"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        put("onboot/000-a/config.json", cases[i].spec);
        check(cases[i].why);
    }
}

static void links_are_followed(void **state) {
    (void)state;
    assert_int_equal(symlink("var", below("alias")), 0);
    put("onboot/000-a/config.json", "{" OWN "," BIND("/alias/lib") "}");
    check("it has /alias/lib, and containerd uses /var/lib/containerd");
    assert_int_equal(symlink("../data", below("var/lib/link")), 0);
    put("onboot/000-a/config.json", "{" OWN "," BIND("/var/lib/link/x") "}");
    check(NULL);
    assert_int_equal(rmdir(below("var/lib/containerd")), 0);
    assert_int_equal(symlink("../../data", below("var/lib/containerd")), 0);
    put("onboot/000-a/config.json", "{" OWN "," BIND("/data") "}");
    check("it has /data, and containerd uses /var/lib/containerd");
}

static void what_is_mounted_for_one_counts_as_well(void **state) {
    (void)state;
    put("onboot/000-a/runtime.json", "{\"mounts\":[{\"type\":\"tmpfs\",\"source\":\"tmpfs\",\"destination\":\"tmp\"},"
                                     "{\"type\":\"ext4\",\"source\":\"/dev/sda\",\"destination\":\"/data/x\"}]}");
    check(NULL);
    put("onboot/000-a/runtime.json",
        "{\"mounts\":[{\"type\":\"ext4\",\"source\":\"/dev/sda\",\"destination\":\"/var/lib\"}]}");
    check("000-a: it has /var/lib");
    put("onboot/000-a/runtime.json",
        "{\"mounts\":[{\"type\":\"bind\",\"source\":\"/run\",\"destination\":\"/data\"}]}");
    check("it has /run");
    put("onboot/000-a/runtime.json", "{\"bindNS\":{\"net\":\"/run/netns/a\"}}");
    check(NULL);
    put("onboot/000-a/runtime.json", "{\"bindNS\":{\"net\":\"/run/containerd/x\"}}");
    check("it has /run/containerd/x");
    put("onboot/000-a/runtime.json", "{");
    check("runtime.json");
}

static void each_of_them_counts(void **state) {
    (void)state;
    make("onboot/001-b");
    check("001-b");
    put("onboot/001-b/config.json", "{" OWN "," BIND("/var") "}");
    check("001-b: it has /var");
    put("onboot/001-b/config.json", "{" OWN "}");
    check(NULL);
}

static void so_does_who_comes_in_between(void **state) {
    (void)state;
    put("init.d/005-first", "");
    put("init.d/030-last", "");
    check(NULL);
    put("init.d/015-disk", "");
    check("015-disk");
    assert_int_equal(unlink(below("init.d/015-disk")), 0);
    put("init.d/020-containerd", "");
    check("020-containerd is none of keelson's");
    assert_int_equal(unlink(below("init.d/020-containerd")), 0);
    check("020-containerd is none of keelson's");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, finish)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(whoever_mounts_for_itself_only_is_no_reason_to_wait),
        TEST(whoever_may_mount_for_all_is),
        TEST(links_are_followed),
        TEST(what_is_mounted_for_one_counts_as_well),
        TEST(each_of_them_counts),
        TEST(so_does_who_comes_in_between),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
