/* SPDX-License-Identifier: Apache-2.0 */
/* A root file system whose links would lead out of it, if they were followed from without. */
#include "runtime-config/inside.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "lib/fdutil.h"
#include "lib/spawn.h"

static char top[] = "/tmp/inside_test.XXXXXX"; /* bundle/rootfs, and outside */
static char bundle[64];

static const char *at(const char *below) {
    static char path[2][256];
    static unsigned turn;

    turn ^= 1;
    (void)snprintf(path[turn], sizeof(path[turn]), "%s/%s", top, below);
    return path[turn];
}

static bool is_dir(const char *below) {
    struct stat st;

    return lstat(at(below), &st) == 0 && S_ISDIR(st.st_mode);
}

static void leads_to(const char *path, enum inside what, const char *below) {
    AUTO_FREE char *out = NULL;
    struct err e = {0};

    if (inside_path(bundle, path, what, &out, &e) < 0)
        fail_msg("%s: %s", path, e.msg);
    assert_string_equal(out, at(below));
}

static void a_relative_path_is_below_the_root(void **state) {
    (void)state;
    leads_to("var/deep//er/", INSIDE_DIR, "bundle/rootfs/var/deep/er");
    assert_true(is_dir("bundle/rootfs/var/deep/er"));
    leads_to("var/deep", INSIDE_FIND, "bundle/rootfs/var/deep");
    leads_to("", INSIDE_FIND, "bundle/rootfs");
    leads_to("../../../above", INSIDE_DIR, "bundle/rootfs/above"); /* above the root is the root */
}

static void links_stay_inside(void **state) {
    (void)state;
    assert_int_equal(mkdir(at("outside"), 0755), 0);
    assert_int_equal(symlink(at("outside"), at("bundle/rootfs/absolute")), 0);
    assert_int_equal(symlink("../../outside", at("bundle/rootfs/relative")), 0);
    assert_int_equal(symlink("/opt", at("bundle/rootfs/good")), 0);
    assert_int_equal(mkdir_p(at("bundle/rootfs/opt"), 0755, NULL), 0);
    leads_to("good/x", INSIDE_DIR, "bundle/rootfs/opt/x");
    leads_to("good", INSIDE_FIND, "bundle/rootfs/opt");
    /* Where they lead to is not there, in the root. */
    for (const char *const *p = (const char *const[]){"absolute", "absolute/x", "relative/x", NULL}; *p; p++) {
        AUTO_FREE char *out = NULL;
        struct err e = {0};
        assert_int_equal(inside_path(bundle, *p, INSIDE_DIR, &out, &e), -ENOENT);
        assert_non_null(strstr(e.msg, "could not create "));
        assert_null(out);
    }
    assert_int_equal(rmdir(at("outside")), 0); /* it is empty */
}

static void an_absolute_path_is_the_appliances(void **state) {
    AUTO_FREE char *out = NULL;
    (void)state;
    assert_int_equal(inside_path(bundle, at("new/dir"), INSIDE_FIND, &out, NULL), 0);
    assert_string_equal(out, at("new/dir"));
    assert_false(is_dir("new"));
    leads_to(at("new/dir"), INSIDE_DIR, "new/dir");
    assert_true(is_dir("new/dir"));
}

static void what_is_no_directory_is_refused(void **state) {
    AUTO_FREE char *out = NULL;
    struct err e = {0};
    (void)state;
    assert_int_equal(write_file_atomic(at("bundle/rootfs/file"), "", 0, 0644, false, NULL), 0);
    assert_int_equal(inside_path(bundle, "file/x", INSIDE_DIR, &out, &e), -ENOTDIR);
    assert_non_null(strstr(e.msg, "rootfs/file/x: Not a directory"));
    assert_int_equal(inside_path(bundle, "nosuch", INSIDE_FIND, &out, &e), -ENOENT);
    assert_int_equal(inside_path(at("nosuch"), "x", INSIDE_FIND, &out, &e), -ENOENT);
}

static void a_file_is_made_where_nothing_is(void **state) {
    AUTO_FREE char *out = NULL;
    struct stat st;
    struct err e = {0};
    (void)state;
    leads_to("lib/deep/one.conf", INSIDE_FILE, "bundle/rootfs/lib/deep/one.conf");
    assert_true(lstat(at("bundle/rootfs/lib/deep/one.conf"), &st) == 0 && S_ISREG(st.st_mode) && st.st_size == 0);
    leads_to("lib/deep/one.conf", INSIDE_FIND, "bundle/rootfs/lib/deep/one.conf");
    leads_to("lib/deep", INSIDE_FILE, "bundle/rootfs/lib/deep"); /* whoever mounts on it is told */
    leads_to(at("appliance/etc/one.conf"), INSIDE_FILE, "appliance/etc/one.conf");
    assert_true(lstat(at("appliance/etc/one.conf"), &st) == 0 && S_ISREG(st.st_mode));
    assert_int_equal(symlink(at("outside.conf"), at("bundle/rootfs/lib/link.conf")), 0);
    assert_int_equal(inside_path(bundle, "lib/link.conf", INSIDE_FILE, &out, &e), -ENOENT);
    assert_int_equal(lstat(at("outside.conf"), &st), -1);
}

static int setup(void **state) {
    (void)state;
    if (!mkdtemp(top))
        return -1;
    (void)snprintf(bundle, sizeof(bundle), "%s/bundle", top);
    return mkdir_p(at("bundle/rootfs"), 0755, NULL);
}

static int teardown(void **state) {
    struct spawn s = SPAWN_INIT;
    int status = 0;
    (void)state;
    s.argv = (const char *const[]){"rm", "-rf", top, NULL};
    return spawn_wait(&s, 10000, &status, NULL) < 0 || status;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_relative_path_is_below_the_root),  cmocka_unit_test(links_stay_inside),
        cmocka_unit_test(an_absolute_path_is_the_appliances), cmocka_unit_test(what_is_no_directory_is_refused),
        cmocka_unit_test(a_file_is_made_where_nothing_is),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
