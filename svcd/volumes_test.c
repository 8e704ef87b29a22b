/* SPDX-License-Identifier: Apache-2.0 */
/* Mounts are made in a mount namespace of the test's own, on a tmpfs; where the machine allows none, all is skipped. */
#include "svcd/volumes.h"

#include <errno.h>
#include <fcntl.h>
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
#include "lib/log.h"
#include "runtime-config/namespace_test.h"

static char top[] = "/tmp/volumes_test.XXXXXX";
static bool can_mount;
static char said[4096];

static void hear(const char *line, size_t len) {
    size_t used = strlen(said);

    (void)snprintf(said + used, sizeof(said) - used, "%.*s", (int)len, line);
}

static const char *at(const char *below) {
    static char path[4][256];
    static unsigned turn;

    turn = (turn + 1) % 4;
    (void)snprintf(path[turn], sizeof(path[turn]), "%s/%s", top, below);
    return path[turn];
}

static int write_at(const char *below) {
    AUTO_CLOSE int fd = open(at(below), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

    return fd < 0 ? -errno : write_full(fd, "x", 1);
}

static bool is_there(const char *below) {
    return access(at(below), F_OK) == 0;
}

/* With one file in it. */
static void make_volume(const char *name, bool writable) {
    AUTO_FREE char *lower = path_join(name, "lower");
    AUTO_FREE char *file = path_join(lower, "file");
    AUTO_FREE char *merged = path_join(name, "merged");
    AUTO_FREE char *tmp = path_join(name, "tmp");

    assert_int_equal(mkdir_p(at(lower), 0755, NULL), 0);
    assert_int_equal(mkdir_p(at(merged), 0755, NULL), 0);
    assert_int_equal(write_at(file), 0);
    if (writable)
        assert_int_equal(mkdir_p(at(tmp), 0755, NULL), 0);
}

static bool is_overlay(const char *below) {
    struct statfs fs;

    return statfs(at(below), &fs) == 0 && fs.f_type == OVERLAYFS_SUPER_MAGIC;
}

static void a_writable_one_takes_writes_and_keeps_its_image(void **state) {
    struct stat st;
    (void)state;
    make_volume("rw", true);
    assert_int_equal(chmod(at("rw/lower"), 01777), 0);
    assert_int_equal(volumes_mount(top), 0);
    assert_true(is_overlay("rw/merged"));
    assert_true(is_there("rw/merged/file"));
    assert_int_equal(write_at("rw/merged/new"), 0);
    assert_int_equal(unlink(at("rw/merged/file")), 0);
    assert_false(is_there("rw/lower/new"));
    assert_true(is_there("rw/lower/file"));
    assert_int_equal(stat(at("rw/merged"), &st), 0);
    assert_int_equal(st.st_mode & 07777, 01777); /* its root looks like the image's */
}

static void a_read_only_one_cannot_be_made_writable(void **state) {
    (void)state;
    make_volume("ro", false);
    assert_int_equal(volumes_mount(top), 0);
    assert_true(is_overlay("ro/merged"));
    assert_true(is_there("ro/merged/file"));
    assert_int_equal(write_at("ro/merged/new"), -EROFS);
    assert_int_equal(mount(NULL, at("ro/merged"), NULL, MS_REMOUNT | MS_BIND, NULL), 0);
    assert_int_equal(write_at("ro/merged/new"), -EROFS);
    assert_true(mount(NULL, at("ro/merged"), NULL, MS_REMOUNT, NULL) < 0);
    assert_int_equal(write_at("ro/merged/new"), -EROFS);
}

static void a_blank_one_is_empty(void **state) {
    AUTO_NAMES struct names names = {0};
    (void)state;
    make_volume("blank", false);
    assert_int_equal(unlink(at("blank/lower/file")), 0);
    assert_int_equal(volumes_mount(top), 0);
    assert_true(is_overlay("blank/merged"));
    assert_int_equal(list_dir(at("blank/merged"), &names, NULL), 0);
    assert_int_equal(names.len, 0);
}

static void what_was_written_is_not_hidden_by_a_second_call(void **state) {
    (void)state;
    make_volume("twice", true);
    assert_int_equal(volumes_mount(top), 0);
    assert_int_equal(write_at("twice/merged/new"), 0);
    assert_int_equal(volumes_mount(top), 0);
    assert_true(is_there("twice/merged/new"));
}

static void the_kernels_separators_may_be_in_a_name(void **state) {
    (void)state;
    make_volume("a,b:c\\d", true);
    make_volume("e,f:g\\h", false);
    assert_int_equal(volumes_mount(top), 0);
    assert_true(is_there("a,b:c\\d/merged/file"));
    assert_int_equal(write_at("a,b:c\\d/merged/new"), 0);
    assert_true(is_there("e,f:g\\h/merged/file"));
}

static void what_is_missing_is_named_and_the_next_one_mounted(void **state) {
    (void)state;
    assert_int_equal(mkdir_p(at("1-no-lower/merged"), 0755, NULL), 0);
    assert_int_equal(mkdir_p(at("2-no-merged/lower"), 0755, NULL), 0);
    assert_int_equal(write_at("3-file"), 0);
    make_volume("4-good", true);
    said[0] = '\0';
    log_set_sink(hear);
    unsigned failures = volumes_mount(top);
    log_set_sink(NULL);
    assert_int_equal(failures, 3);
    assert_non_null(strstr(said, "volume 1-no-lower: could not use"));
    assert_non_null(strstr(said, "2-no-merged/merged: No such file or directory"));
    assert_non_null(strstr(said, "volume 3-file: "));
    assert_int_equal(write_at("4-good/merged/new"), 0);
}

static void no_directory_is_no_failure(void **state) {
    (void)state;
    assert_int_equal(volumes_mount(at("nosuch")), 0);
}

static int group_setup(void **state) {
    (void)state;
    can_mount = test_enter_namespace();
    if (!can_mount)
        print_message("no mount namespace to be had: tests of volumes are skipped\n");
    return mkdtemp(top) ? 0 : -1;
}

static int group_teardown(void **state) {
    (void)state;
    return rmdir(top);
}

static int setup(void **state) {
    (void)state;
    if (!can_mount)
        skip();
    return mount("tmpfs", top, "tmpfs", 0, NULL);
}

static int teardown(void **state) {
    (void)state;
    return can_mount ? umount2(top, MNT_DETACH) : 0;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_writable_one_takes_writes_and_keeps_its_image),
        TEST(a_read_only_one_cannot_be_made_writable),
        TEST(a_blank_one_is_empty),
        TEST(what_was_written_is_not_hidden_by_a_second_call),
        TEST(the_kernels_separators_may_be_in_a_name),
        TEST(what_is_missing_is_named_and_the_next_one_mounted),
        TEST(no_directory_is_no_failure),
    };
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
