/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/fdutil.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

static char dir[] = "/tmp/fdutil_test.XXXXXX";

static const char *in_dir(const char *name) {
    static char path[256];
    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    return path;
}

static int setup(void **state) {
    (void)state;
    return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state) {
    (void)state;
    for (const char *const *name = (const char *const[]){"file", "a/b/c", "a/b", "a", NULL}; *name; name++)
        (void)remove(in_dir(*name));
    return rmdir(dir);
}

static void a_file_comes_back_as_written(void **state) {
    AUTO_BUF struct buf b = BUF_INIT;
    struct err e = {0};
    struct stat st;
    char big[40000];
    (void)state;
    memset(big, 'x', sizeof(big));
    assert_int_equal(write_file_atomic(in_dir("file"), "old", 3, 0600, false, &e), 0);
    assert_int_equal(write_file_atomic(in_dir("file"), big, sizeof(big), 0640, true, &e), 0);
    assert_int_equal(stat(in_dir("file"), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0640);
    assert_int_equal(read_file(in_dir("file"), sizeof(big), &b, &e), 0);
    assert_int_equal(b.len, sizeof(big));
    assert_memory_equal(b.data, big, sizeof(big));
}

static void a_file_over_the_bound_is_refused(void **state) {
    AUTO_BUF struct buf b = BUF_INIT;
    struct err e = {0};
    (void)state;
    assert_int_equal(write_file_atomic(in_dir("file"), "12345", 5, 0600, false, &e), 0);
    assert_int_equal(read_file(in_dir("file"), 4, &b, &e), -EFBIG);
    assert_non_null(strstr(e.msg, "larger than 4 bytes"));
}

static void a_failed_write_leaves_nothing_behind(void **state) {
    struct err e = {0};
    struct names names;
    (void)state;
    (void)remove(in_dir("file"));
    assert_int_equal(mkdir(in_dir("a"), 0755), 0);
    assert_int_equal(write_file_atomic(in_dir("a"), "x", 1, 0600, false, &e), -EISDIR);
    assert_int_equal(list_dir(dir, &names, &e), 0);
    assert_int_equal(names.len, 1);
    names_free(&names);
}

static void directories_are_made_with_their_parents(void **state) {
    struct err e = {0};
    struct stat st;
    (void)state;
    assert_int_equal(mkdir_p(in_dir("a/b/c"), 0700, &e), 0);
    assert_int_equal(mkdir_p(in_dir("a/b/c"), 0700, &e), 0);
    assert_int_equal(stat(in_dir("a/b/c"), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    assert_int_equal(write_file_atomic(in_dir("file"), "", 0, 0600, false, &e), 0);
    assert_int_equal(mkdir_p(in_dir("file/x"), 0700, &e), -ENOTDIR);
    assert_int_equal(mkdir_p(in_dir("file"), 0700, &e), -ENOTDIR);
}

static void a_listing_is_sorted_by_bytes(void **state) {
    AUTO_NAMES struct names names = {0};
    struct err e = {0};
    (void)state;
    assert_int_equal(mkdir_p(in_dir("a"), 0755, &e), 0);
    assert_int_equal(write_file_atomic(in_dir("file"), "", 0, 0600, false, &e), 0);
    assert_int_equal(list_dir(dir, &names, &e), 0);
    assert_int_equal(names.len, 2);
    assert_string_equal(names.v[0], "a");
    assert_string_equal(names.v[1], "file");
}

static void a_missing_directory_is_told(void **state) {
    AUTO_NAMES struct names names = {0};
    struct err e = {0};
    (void)state;
    assert_int_equal(list_dir("/nonexistent", &names, &e), -ENOENT);
    assert_string_equal(e.msg, "could not list /nonexistent: No such file or directory");
}

static void paths_join_with_one_slash(void **state) {
    (void)state;
    const char *const cases[][3] = {{"a", "b", "a/b"}, {"a/", "/b", "a/b"}, {"/", "b", "/b"}};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        AUTO_FREE char *joined = path_join(cases[i][0], cases[i][1]);
        assert_string_equal(joined, cases[i][2]);
    }
}

static void a_small_bound_needs_a_small_buffer(void **state) {
    AUTO_BUF struct buf b = {.max = 8};
    struct err e = {0};
    (void)state;
    assert_int_equal(write_file_atomic(in_dir("file"), "12345", 5, 0600, false, &e), 0);
    assert_int_equal(read_file(in_dir("file"), 5, &b, &e), 0);
    assert_string_equal(b.data, "12345");
}

static void only_a_regular_file_is_a_log(void **state) {
    struct err e = {0};
    (void)state;
    (void)remove(in_dir("file"));
    for (int i = 0; i < 2; i++) {
        AUTO_CLOSE int fd = open_log_file(in_dir("file"), &e);
        assert_true(fd >= 0);
        assert_int_equal(fcntl(fd, F_GETFL) & (O_NONBLOCK | O_APPEND), O_APPEND);
        assert_int_equal(write_full(fd, "x", 1), 0);
    }
    (void)remove(in_dir("file"));
    assert_int_equal(mkfifo(in_dir("file"), 0600), 0);
    assert_int_equal(open_log_file(in_dir("file"), &e), -ENXIO); /* and it did not wait for a reader */
    AUTO_CLOSE int reader = open(in_dir("file"), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    assert_true(reader >= 0);
    assert_int_equal(open_log_file(in_dir("file"), &e), -EINVAL);
    assert_non_null(strstr(e.msg, "not a regular file"));
    (void)remove(in_dir("file"));
    assert_int_equal(symlink("/tmp/elsewhere", in_dir("file")), 0);
    assert_int_equal(open_log_file(in_dir("file"), &e), -ELOOP);
    (void)remove(in_dir("file"));
}

static void lines_are_cut_in_place(void **state) {
    char text[] = "one\n\nthree";
    char *pos = text;
    char *none = NULL;
    (void)state;
    assert_string_equal(next_line(&pos), "one");
    assert_string_equal(next_line(&pos), "");
    assert_string_equal(next_line(&pos), "three");
    assert_null(next_line(&pos));
    assert_null(next_line(&none));
}

static void numbers_are_strict(void **state) {
    uint64_t n = 7;
    (void)state;
    assert_int_equal(parse_u64("18446744073709551615", UINT64_MAX, &n), 0);
    assert_true(n == UINT64_MAX);
    assert_int_equal(parse_u64("18446744073709551616", UINT64_MAX, &n), -ERANGE);
    assert_int_equal(parse_u64("11", 10, &n), -ERANGE);
    for (const char *const *bad = (const char *const[]){"", " 1", "1 ", "+1", "-1", "0x1", NULL}; *bad; bad++)
        assert_int_equal(parse_u64(*bad, UINT64_MAX, &n), -EINVAL);
    assert_true(n == UINT64_MAX);
}

static void a_system_file_is_never_created(void **state) {
    struct err e = {0};
    (void)state;
    assert_int_equal(write_sysfile("/tmp/fdutil_test.none", "1", &e), -ENOENT);
    assert_int_equal(write_sysfile("/dev/full", "1", &e), -ENOSPC);
    assert_string_equal(e.msg, "could not write /dev/full: No space left on device");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_comes_back_as_written),
        cmocka_unit_test(a_file_over_the_bound_is_refused),
        cmocka_unit_test(a_failed_write_leaves_nothing_behind),
        cmocka_unit_test(directories_are_made_with_their_parents),
        cmocka_unit_test(a_listing_is_sorted_by_bytes),
        cmocka_unit_test(a_missing_directory_is_told),
        cmocka_unit_test(paths_join_with_one_slash),
        cmocka_unit_test(numbers_are_strict),
        cmocka_unit_test(a_small_bound_needs_a_small_buffer),
        cmocka_unit_test(only_a_regular_file_is_a_log),
        cmocka_unit_test(lines_are_cut_in_place),
        cmocka_unit_test(a_system_file_is_never_created),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
