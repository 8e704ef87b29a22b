/* SPDX-License-Identifier: Apache-2.0 */
/* Mounts are made in a mount namespace of the test's own; where the machine allows none, those tests are skipped. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>

#include <linux/magic.h>

#include <cmocka.h>

#include "lib/fdutil.h"
#include "lib/json.h"
#include "runtime-config/namespace_test.h"
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

/* A bind has what is asked for and what its source has. */
static void a_bind_keeps_the_flags_of_its_source(void **state) {
    const unsigned long all = ST_RDONLY | ST_NOSUID | ST_NODEV | ST_NOEXEC;
    struct statvfs fs;
    struct runtime rt;
    struct err e = {0};
    (void)state;
    if (!can_mount)
        skip();
    load("{\"mounts\":[{\"destination\":\"TOP/tmp\",\"type\":\"tmpfs\",\"options\":[\"nosuid\",\"nodev\"]},"
         "{\"destination\":\"TOP/ro\",\"type\":\"bind\",\"source\":\"TOP/tmp\",\"options\":[\"bind\",\"ro\"]},"
         "{\"destination\":\"TOP/noexec\",\"type\":\"bind\",\"source\":\"TOP/tmp\","
         "\"options\":[\"bind\",\"noexec\"]}]}",
         &rt);
    if (runtime_prepare(&rt, top, &e) < 0)
        fail_msg("%s", e.msg);
    assert_int_equal(statvfs(at("ro"), &fs), 0);
    assert_int_equal(fs.f_flag & all, ST_RDONLY | ST_NOSUID | ST_NODEV);
    assert_int_equal(statvfs(at("noexec"), &fs), 0);
    assert_int_equal(fs.f_flag & all, ST_NOEXEC | ST_NOSUID | ST_NODEV);
    runtime_unmount(&rt, top);
    runtime_free(&rt);
}

/* A bind of a file is made on a file: on one that is there, and on one that is not yet. */
static void a_file_is_bound(void **state) {
    AUTO_BUF struct buf text = BUF_INIT;
    struct runtime rt;
    struct err e = {0};
    (void)state;
    if (!can_mount)
        skip();
    assert_int_equal(write_file_atomic(at("hosts"), "1.2.3.4 box", 11, 0644, false, NULL), 0);
    assert_int_equal(write_file_atomic(at("rootfs/old"), "", 0, 0644, false, NULL), 0);
    load("{\"mounts\":[{\"destination\":\"old\",\"source\":\"TOP/hosts\",\"options\":[\"bind\"]},"
         "{\"destination\":\"etc/new/hosts\",\"source\":\"TOP/hosts\",\"options\":[\"bind\",\"ro\"]}]}",
         &rt);
    if (runtime_prepare(&rt, top, &e) < 0)
        fail_msg("%s", e.msg);
    assert_int_equal(read_file(at("rootfs/etc/new/hosts"), 64, &text, NULL), 0);
    assert_string_equal(text.data, "1.2.3.4 box");
    assert_int_equal(mounts_on(at("rootfs/old")), 1);
    runtime_unmount(&rt, top);
    assert_int_equal(mounts_on(at("rootfs/old")), 0);
    assert_int_equal(mounts_on(at("rootfs/etc/new/hosts")), 0);
    runtime_free(&rt);
}

static void a_cgroup_is_below_the_others(void **state) {
    static const char *const bad[] = {"..", "../x", "a/../../b", "a/.."};
    struct runtime rt;
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        char doc[64];
        struct err e = {0};
        (void)snprintf(doc, sizeof(doc), "{\"cgroups\":[\"%s\"]}", bad[i]);
        load(doc, &rt);
        assert_int_equal(runtime_prepare(&rt, top, &e), -EINVAL);
        assert_non_null(strstr(e.msg, "$.cgroups[0]: could not create cgroup "));
        runtime_free(&rt);
    }
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

/* An image's link must not have the appliance's own directories mounted on, nor unmounted. */
static void an_image_cannot_lead_a_mount_elsewhere(void **state) {
    struct runtime rt;
    struct err e = {0};
    (void)state;
    if (!can_mount)
        skip();
    assert_int_equal(mkdir_p(at("victim"), 0755, NULL), 0);
    assert_int_equal(mkdir_p(at("rootfs/victim"), 0755, NULL), 0);
    assert_int_equal(mount("tmpfs", at("victim"), "tmpfs", 0, NULL), 0);
    assert_int_equal(symlink("../victim", at("rootfs/link")), 0);
    load("{\"mounts\":[{\"destination\":\"link\",\"type\":\"tmpfs\",\"source\":\"tmpfs\"}],\"mkdir\":[\"link/in\"]}",
         &rt);
    if (runtime_prepare(&rt, top, &e) < 0)
        fail_msg("%s", e.msg);
    assert_int_equal(mounts_on(at("victim")), 1);
    assert_int_equal(mounts_on(at("rootfs/victim")), 1);
    assert_true(is_dir(at("rootfs/victim/in")));
    runtime_unmount_bundle(&rt, top);
    assert_int_equal(mounts_on(at("victim")), 1);
    assert_int_equal(mounts_on(at("rootfs/victim")), 0);
    assert_int_equal(umount2(at("victim"), MNT_DETACH), 0);
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
    assert_string_equal(e.msg, "$.interfaces[0]: could not move interface none0: there is none of this name");
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

static void a_fifo_in_place_of_a_namespace_holds_up_nobody(void **state) {
    struct runtime rt;
    struct err e = {0};
    (void)state;
    assert_int_equal(mkfifo(at("fifo"), 0600), 0);
    load("{\"bindNS\":{\"uts\":\"TOP/fifo\"}}", &rt);
    (void)alarm(10);
    assert_int_equal(runtime_bind_namespaces(&rt, getpid(), &e), -ENXIO);
    (void)alarm(0);
    assert_non_null(strstr(e.msg, "$.bindNS.uts: could not create "));
    runtime_free(&rt);
}

static int setup(void **state) {
    (void)state;
    can_mount = test_enter_namespace();
    if (!can_mount)
        print_message("no mount namespace to be had: tests of mounts are skipped\n");
    return mkdtemp(top) ? 0 : -1;
}

static int remove_tree(const char *path) {
    AUTO_NAMES struct names names = {0};

    if (unlink(path) == 0) /* a link to a directory, too */
        return 0;
    if (list_dir(path, &names, NULL) < 0)
        return -1;
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

static void check_failure(const char *text, const char *says) {
    struct runtime rt;
    struct err e = {0};

    load(text, &rt);
    assert_true(runtime_prepare(&rt, top, &e) < 0);
    if (!strstr(e.msg, says))
        fail_msg("\"%s\" is not in \"%s\"", says, e.msg);
    runtime_free(&rt);
}

static void a_failure_names_its_place(void **state) {
    (void)state;
    assert_int_equal(write_file_atomic(at("file"), "", 0, 0644, false, NULL), 0);
    check_failure("{\"mkdir\":[\"TOP/good\",\"TOP/file/x\"]}", "$.mkdir[1]: could not create ");
    if (!can_mount)
        skip();
    check_failure("{\"mounts\":[{\"destination\":\"TOP/m\",\"source\":\"/no/such\",\"options\":[\"bind\"]}]}",
                  "$.mounts[0]: could not mount /no/such on ");
}

static void what_waits_for_something_is_known(void **state) {
    static const struct {
        const char *type;
        bool blocks;
    } cases[] = {{"tmpfs", false}, {"bind", false}, {"", false}, {"overlay", false}, {"ext4", true}, {"nfs4", true}};
    struct runtime rt;
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char text[160];
        (void)snprintf(
            text, sizeof(text),
            "{\"mounts\":[{\"destination\":\"/a\",\"type\":\"proc\"},{\"destination\":\"/b\",\"type\":\"%s\"}]}",
            cases[i].type);
        load(text, &rt);
        assert_int_equal(runtime_may_block(&rt), cases[i].blocks);
        runtime_free(&rt);
    }
    load("{}", &rt);
    assert_false(runtime_may_block(&rt));
    runtime_free(&rt);
}

static void what_is_left_is_listed(void **state) {
    AUTO_JSON json_t *list = json_array(), *none = json_array();
    struct runtime rt;
    (void)state;
    if (!can_mount)
        skip();
    load("{\"mounts\":[{\"destination\":\"TOP/left a\",\"type\":\"tmpfs\",\"source\":\"tmpfs\"},"
         "{\"destination\":\"TOP/left a\",\"options\":[\"remount\",\"private\"]},"
         "{\"destination\":\"TOP/not-there\",\"type\":\"nosuchfs\"}],"
         "\"bindNS\":{\"uts\":\"TOP/ns/uts\",\"net\":\"TOP/ns/unbound\"},"
         "\"interfaces\":[{\"name\":\"eth0\",\"peer\":\"lo\"}]}",
         &rt);
    assert_true(runtime_prepare(&rt, top, NULL) < 0);
    assert_true(runtime_bind_namespaces(&rt, getpid(), NULL) == 0);
    assert_int_equal(umount2(at("ns/unbound"), MNT_DETACH), 0);
    /* An index that is there, and one that has gone. */
    assert_int_equal(write_file_atomic(at("links"), "1\n99999\n", 8, 0644, false, NULL), 0);
    assert_int_equal(runtime_left(&rt, top, at("links"), list), 0);
    assert_int_equal(runtime_left(&rt, top, at("nosuch"), none), 0);
    assert_int_equal(json_array_size(none), 2); /* lo is not its own */
    AUTO_FREE char *text = json_dumps(list, 0);
    AUTO_FREE char *expected = NULL;
    assert_true(asprintf(&expected, "[\"mount %s/left a\", \"interface lo\", \"namespace %s/ns/uts\"]", top, top) > 0);
    assert_string_equal(text, expected);
    runtime_unmount(&rt, top);
    runtime_unbind_namespaces(&rt);
    runtime_free(&rt);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_failure_names_its_place),
        cmocka_unit_test(what_waits_for_something_is_known),
        cmocka_unit_test(what_is_left_is_listed),
        cmocka_unit_test(directories_are_made_below_the_root_or_where_they_say),
        cmocka_unit_test(the_first_failure_ends_it),
        cmocka_unit_test(options_that_are_too_long_are_refused),
        cmocka_unit_test(mounts_are_made_and_undone),
        cmocka_unit_test(a_bind_keeps_the_flags_of_its_source),
        cmocka_unit_test(a_file_is_bound),
        cmocka_unit_test(a_cgroup_is_below_the_others),
        cmocka_unit_test(a_root_is_mounted_once_however_often_it_starts),
        cmocka_unit_test(an_image_cannot_lead_a_mount_elsewhere),
        cmocka_unit_test(an_overlays_directories_are_made),
        cmocka_unit_test(a_namespace_is_bound_once_however_often_it_starts),
        cmocka_unit_test(interfaces_come_before_namespaces),
        cmocka_unit_test(only_namespaces_are_unbound),
        cmocka_unit_test(a_process_that_is_gone_has_no_namespaces),
        cmocka_unit_test(a_fifo_in_place_of_a_namespace_holds_up_nobody),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
