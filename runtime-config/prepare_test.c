/* SPDX-License-Identifier: Apache-2.0 */
/* Mounts are made in a mount namespace of the test's own; where the machine allows none, those tests are skipped. */
#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <linux/magic.h>

#include <cmocka.h>

#include "lib/fdutil.h"
#include "runtime-config/runtime.h"

static char top[] = "/tmp/prepare_test.XXXXXX"; /* the bundle, and the place for everything else */
static bool can_mount;

static const char *at(const char *below) {
    static char path[2][192];
    static unsigned turn;

    turn ^= 1;
    (void)snprintf(path[turn], sizeof(path[turn]), "%s/%s", top, below);
    return path[turn];
}

/* TOP in the text becomes the test's directory. */
static void load(const char *text, struct runtime *rt) {
    AUTO_BUF struct buf doc = BUF_INIT;
    struct err e = {0};
    const char *mark;

    for (; (mark = strstr(text, "TOP")); text = mark + 3)
        assert_int_equal(buf_printf(&doc, "%.*s%s", (int)(mark - text), text, top), 0);
    assert_int_equal(buf_puts(&doc, text), 0);
    assert_int_equal(write_file_atomic(at("runtime.json"), doc.data, doc.len, 0644, false, NULL), 0);
    if (runtime_load(at("runtime.json"), rt, &e) < 0)
        fail_msg("%s", e.msg);
}

static bool is_tmpfs(const char *path) {
    struct statfs fs;

    return statfs(path, &fs) == 0 && fs.f_type == TMPFS_MAGIC;
}

static bool is_dir(const char *path) {
    struct stat st;

    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* How many mounts lie on the path, one over another. */
static unsigned mounts_on(const char *path) {
    AUTO_FCLOSE FILE *f = fopen("/proc/self/mountinfo", "re");
    char line[1024], where[256];
    unsigned n = 0;

    assert_non_null(f);
    while (fgets(line, sizeof(line), f))
        n += sscanf(line, "%*s %*s %*s %*s %255s", where) == 1 && !strcmp(where, path);
    return n;
}

static void directories_are_made_below_the_root_or_where_they_say(void **state) {
    struct runtime rt;
    struct err e = {0};
    (void)state;
    load("{\"mkdir\":[\"var/deep/er\",\"TOP/out/side\"]}", &rt);
    assert_int_equal(runtime_prepare(&rt, top, &e), 0);
    assert_true(is_dir(at("rootfs/var/deep/er")));
    assert_true(is_dir(at("out/side")));
    assert_int_equal(runtime_prepare(&rt, top, &e), 0); /* again: they are there */
    runtime_free(&rt);
}

static void the_first_failure_ends_it(void **state) {
    struct runtime rt;
    struct err e = {0};
    (void)state;
    load("{\"mounts\":[{\"destination\":\"TOP/m\",\"type\":\"nosuchfs\",\"source\":\"none\"}],\"mkdir\":[\"TOP/"
         "after\"]}",
         &rt);
    assert_true(runtime_prepare(&rt, top, &e) < 0);
    assert_non_null(strstr(e.msg, "could not mount none on "));
    assert_false(is_dir(at("after")));
    runtime_free(&rt);
}

static void options_that_are_too_long_are_refused(void **state) {
    AUTO_BUF struct buf doc = BUF_INIT;
    struct runtime rt;
    struct err e = {0};
    (void)state;
    assert_int_equal(
        buf_printf(&doc, "{\"mounts\":[{\"destination\":\"TOP/m\",\"type\":\"tmpfs\",\"options\":[\"%05000d\"]}]}", 0),
        0);
    load(doc.data, &rt);
    assert_int_equal(runtime_prepare(&rt, top, &e), -E2BIG);
    runtime_free(&rt);
}

static void mounts_are_made_and_undone(void **state) {
    struct runtime rt;
    struct err e = {0};
    (void)state;
    if (!can_mount)
        skip();
    load("{\"mounts\":[{\"destination\":\"TOP/"
         "tmp\",\"type\":\"tmpfs\",\"source\":\"tmpfs\",\"options\":[\"nosuid\",\"size=64k\"]},"
         "{\"destination\":\"TOP/tmp\",\"options\":[\"remount\",\"private\"]},"
         "{\"destination\":\"etc\",\"type\":\"bind\",\"source\":\"TOP/tmp\",\"options\":[\"bind\",\"ro\"]}],"
         "\"mkdir\":[\"TOP/tmp/in\"]}",
         &rt);
    if (runtime_prepare(&rt, top, &e) < 0)
        fail_msg("%s", e.msg);
    assert_true(is_tmpfs(at("tmp")));
    assert_true(is_dir(at("tmp/in"))); /* mkdir comes behind the mounts */
    assert_true(is_dir(at("rootfs/etc/in")));
    assert_true(mkdir(at("rootfs/etc/x"), 0755) < 0 && errno == EROFS);
    runtime_unmount(&rt, top);
    assert_int_equal(mounts_on(at("tmp")), 0);
    assert_int_equal(mounts_on(at("rootfs/etc")), 0);
    runtime_free(&rt);
}

/* As `keelson build` writes a read-only root: a crash loop must not pile mounts up. */
static void a_root_is_mounted_once_however_often_it_starts(void **state) {
    struct runtime rt;
    struct err e = {0};
    (void)state;
    if (!can_mount)
        skip();
    assert_int_equal(mkdir_p(at("image"), 0755, NULL), 0);
    load("{\"mounts\":[{\"destination\":\"TOP/root\",\"source\":\"TOP/image\",\"options\":[\"bind\"]},"
         "{\"destination\":\"TOP/root\",\"options\":[\"remount\",\"bind\",\"ro\"]}]}",
         &rt);
    for (int i = 0; i < 3; i++) {
        if (runtime_prepare(&rt, top, &e) < 0)
            fail_msg("%s", e.msg);
        assert_int_equal(mounts_on(at("root")), 1);
        runtime_unmount(&rt, top);
    }
    assert_int_equal(mounts_on(at("root")), 0);
    runtime_free(&rt);
}

static void an_overlays_directories_are_made(void **state) {
    struct runtime rt;
    struct err e = {0};
    (void)state;
    if (!can_mount)
        skip();
    load("{\"mounts\":[{\"destination\":\"TOP/tmp\",\"type\":\"tmpfs\",\"source\":\"tmpfs\"},"
         "{\"destination\":\"TOP/merged\",\"type\":\"overlay\",\"source\":\"overlay\",\"options\":"
         "[\"lowerdir=TOP/lower\",\"upperdir=TOP/tmp/upper\",\"workdir=TOP/tmp/work\"]}]}",
         &rt);
    assert_int_equal(mkdir_p(at("lower"), 0755, NULL), 0);
    (void)runtime_prepare(&rt, top, &e); /* not every machine lets a user mount an overlay */
    assert_true(is_dir(at("tmp/upper")));
    assert_true(is_dir(at("tmp/work")));
    runtime_unmount(&rt, top);
    runtime_free(&rt);
}

/* A service that comes back must not leave its old namespace below the new one. */
static void a_namespace_is_bound_once_however_often_it_starts(void **state) {
    struct runtime rt;
    struct err e = {0};
    struct stat want, got;
    (void)state;
    if (!can_mount)
        skip();
    load("{\"bindNS\":{\"uts\":\"TOP/ns/uts\"}}", &rt);
    for (int i = 0; i < 3; i++)
        if (runtime_bind_namespaces(&rt, getpid(), &e) < 0)
            fail_msg("%s", e.msg);
    assert_int_equal(mounts_on(at("ns/uts")), 1);
    assert_int_equal(stat("/proc/self/ns/uts", &want), 0);
    assert_int_equal(stat(at("ns/uts"), &got), 0);
    assert_int_equal(got.st_ino, want.st_ino);
    assert_int_equal(umount2(at("ns/uts"), MNT_DETACH), 0);
    runtime_free(&rt);
}

/* A namespace that is bound is one that others join: it must have its interfaces by then. */
static void interfaces_come_before_namespaces(void **state) {
    struct runtime rt;
    struct err e = {0};
    (void)state;
    if (!can_mount)
        skip();
    load("{\"interfaces\":[{\"name\":\"none0\"}],\"bindNS\":{\"net\":\"TOP/early\"}}", &rt);
    assert_true(runtime_wants_process(&rt));
    assert_int_equal(runtime_prepare_process(&rt, getpid(), NULL, &e), -ENODEV);
    assert_string_equal(e.msg, "could not move interface none0: there is none of this name");
    assert_true(access(at("early"), F_OK) < 0);
    runtime_free(&rt);
    load("{\"interfaces\":[],\"bindNS\":{\"net\":\"TOP/ns/net\"}}", &rt);
    assert_true(runtime_wants_process(&rt));
    assert_int_equal(runtime_prepare_process(&rt, getpid(), NULL, &e), 0);
    assert_int_equal(mounts_on(at("ns/net")), 1);
    runtime_unbind_namespaces(&rt);
    runtime_free(&rt);
    load("{\"mkdir\":[\"x\"]}", &rt);
    assert_false(runtime_wants_process(&rt));
    runtime_free(&rt);
}

static void only_namespaces_are_unbound(void **state) {
    struct runtime rt;
    struct err e = {0};
    (void)state;
    if (!can_mount)
        skip();
    load("{\"bindNS\":{\"uts\":\"TOP/ns/uts\"}}", &rt);
    if (runtime_bind_namespaces(&rt, getpid(), &e) < 0)
        fail_msg("%s", e.msg);
    runtime_unbind_namespaces(&rt);
    assert_int_equal(mounts_on(at("ns/uts")), 0);
    runtime_unbind_namespaces(&rt); /* again: nothing is bound */
    runtime_free(&rt);
    load("{\"mounts\":[{\"destination\":\"TOP/data\",\"type\":\"tmpfs\"}],\"bindNS\":{\"uts\":\"TOP/data\"}}", &rt);
    assert_int_equal(runtime_prepare(&rt, top, &e), 0);
    runtime_unbind_namespaces(&rt);
    assert_int_equal(mounts_on(at("data")), 1);
    runtime_unmount(&rt, top);
    runtime_free(&rt);
}

static void a_process_that_is_gone_has_no_namespaces(void **state) {
    struct runtime rt;
    struct err e = {0};
    (void)state;
    load("{\"bindNS\":{\"net\":\"TOP/ns/net\"}}", &rt);
    assert_true(runtime_bind_namespaces(&rt, INT32_MAX, &e) < 0);
    assert_non_null(strstr(e.msg, "could not bind /proc/2147483647/ns/net"));
    runtime_free(&rt);
}

static bool map_ids(uid_t uid, gid_t gid) {
    char users[32], groups[32];

    (void)snprintf(users, sizeof(users), "0 %u 1", uid);
    (void)snprintf(groups, sizeof(groups), "0 %u 1", gid);
    return write_sysfile("/proc/self/setgroups", "deny", NULL) == 0 &&
           write_sysfile("/proc/self/uid_map", users, NULL) == 0 &&
           write_sysfile("/proc/self/gid_map", groups, NULL) == 0;
}

/* As root of a new user namespace, or as root. */
static bool enter_namespace(void) {
    uid_t uid = geteuid();
    gid_t gid = getegid();
    bool user = unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWNET) == 0;

    return (user ? map_ids(uid, gid) : unshare(CLONE_NEWNS | CLONE_NEWNET) == 0) &&
           mount(NULL, "/", NULL, MS_PRIVATE | MS_REC, NULL) == 0;
}

static int setup(void **state) {
    (void)state;
    can_mount = enter_namespace();
    if (!can_mount)
        print_message("no mount namespace to be had: tests of mounts are skipped\n");
    return mkdtemp(top) ? 0 : -1;
}

static int remove_tree(const char *path) {
    AUTO_NAMES struct names names = {0};

    if (list_dir(path, &names, NULL) < 0)
        return unlink(path);
    for (size_t i = 0; i < names.len; i++) {
        AUTO_FREE char *below = path_join(path, names.v[i]);
        if (!below || remove_tree(below) < 0)
            return -1;
    }
    return rmdir(path);
}

static int teardown(void **state) {
    (void)state;
    return remove_tree(top);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(directories_are_made_below_the_root_or_where_they_say),
        cmocka_unit_test(the_first_failure_ends_it),
        cmocka_unit_test(options_that_are_too_long_are_refused),
        cmocka_unit_test(mounts_are_made_and_undone),
        cmocka_unit_test(a_root_is_mounted_once_however_often_it_starts),
        cmocka_unit_test(an_overlays_directories_are_made),
        cmocka_unit_test(a_namespace_is_bound_once_however_often_it_starts),
        cmocka_unit_test(interfaces_come_before_namespaces),
        cmocka_unit_test(only_namespaces_are_unbound),
        cmocka_unit_test(a_process_that_is_gone_has_no_namespaces),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
