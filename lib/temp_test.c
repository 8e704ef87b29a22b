/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/temp.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/fdutil.h"

static void a_folder_goes_with_all_that_is_in_it(void **state) {
    struct temp_dir t = {""};
    struct stat st;

    (void)state;
    assert_int_equal(temp_dir_make(&t, NULL, "temp-test-", NULL), 0);
    assert_int_equal(stat(t.path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    AUTO_FREE char *made = strdup(t.path), *deep = path_join(t.path, "a/b"), *file = path_join(t.path, "a/b/file");
    AUTO_FREE char *link = path_join(t.path, "link");
    assert_true(made && deep && file && link);
    assert_int_equal(mkdir_p(deep, 0755, NULL), 0);
    assert_int_equal(write_file_atomic(file, "x", 1, 0644, false, NULL), 0);
    assert_int_equal(symlink("/etc", link), 0);
    temp_dir_remove(&t);
    assert_string_equal(t.path, "");
    assert_int_equal(stat(made, &st), -1);
    assert_int_equal(stat("/etc", &st), 0); /* links are not followed */
    temp_dir_remove(&t);                    /* nothing is left to do */
}

static void the_parent_is_tmpdir_or_what_is_given(void **state) {
    AUTO_TEMP_DIR struct temp_dir outer = {""}, inner = {""}, none = {""};
    struct err e = {0};
    char long_prefix[PATH_MAX + 1];

    (void)state;
    assert_int_equal(temp_dir_make(&outer, NULL, "temp-test-", NULL), 0);
    assert_int_equal(setenv("TMPDIR", outer.path, 1), 0);
    assert_int_equal(temp_dir_make(&inner, NULL, "x-", NULL), 0);
    assert_int_equal(strncmp(inner.path, outer.path, strlen(outer.path)), 0);
    assert_int_equal(temp_dir_make(&none, "/nowhere", "x-", &e), -ENOENT);
    assert_non_null(strstr(e.msg, "/nowhere"));
    assert_string_equal(none.path, "");
    memset(long_prefix, 'x', PATH_MAX);
    long_prefix[PATH_MAX] = '\0';
    assert_int_equal(temp_dir_make(&none, NULL, long_prefix, NULL), -ENAMETOOLONG);
    assert_int_equal(unsetenv("TMPDIR"), 0);
}

static void a_file_gets_its_name_and_everybodys_rights(void **state) {
    AUTO_TEMP_DIR struct temp_dir t = {""};
    AUTO_BUF struct buf got = BUF_INIT;
    struct stat st;

    (void)state;
    assert_int_equal(temp_dir_make(&t, NULL, "temp-test-", NULL), 0);
    AUTO_FREE char *file = path_join(t.path, "file"), *none = path_join(t.path, "no/file");
    assert_true(file && none);
    mode_t old = umask(027);
    assert_int_equal(temp_file_write(file, "old", 3, NULL), 0);
    assert_int_equal(temp_file_write(file, "new", 3, NULL), 0);
    assert_int_equal(temp_file_write(none, "x", 1, NULL), -ENOENT);
    assert_int_equal(temp_file_write(t.path, "x", 1, NULL), -EISDIR); /* and leaves nothing beside it */
    (void)umask(old);
    assert_int_equal(stat(file, &st), 0);
    assert_int_equal(st.st_mode, S_IFREG | 0640);
    assert_int_equal(read_file(file, 10, &got, NULL), 0);
    assert_int_equal(got.len, 3);
    assert_memory_equal(got.data, "new", 3);
    AUTO_FREE char *left = NULL;
    assert_true(asprintf(&left, "%s.??????", t.path) > 0);
    glob_t found;
    assert_int_equal(glob(left, 0, NULL, &found), GLOB_NOMATCH);
    globfree(&found);
}

static void devices_and_fifos_are_written_into(void **state) {
    AUTO_TEMP_DIR struct temp_dir t = {""}, beside = {""}, elsewhere = {""};
    struct stat st;
    char got[8] = "";

    (void)state;
    assert_int_equal(temp_dir_make(&t, NULL, "temp-test-", NULL), 0);
    AUTO_FREE char *fifo = path_join(t.path, "fifo"), *link = path_join(t.path, "link"), *file = path_join(t.path, "x");
    assert_true(fifo && link && file);
    assert_int_equal(mkfifo(fifo, 0600), 0);
    assert_int_equal(symlink("/dev/null", link), 0);
    AUTO_CLOSE int reader = open(fifo, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    assert_true(reader >= 0);
    assert_int_equal(temp_file_write(fifo, "text", 4, NULL), 0);
    assert_int_equal(read(reader, got, sizeof(got)), 4);
    assert_string_equal(got, "text");
    assert_int_equal(temp_file_write(link, "text", 4, NULL), 0);
    assert_true(lstat(fifo, &st) == 0 && S_ISFIFO(st.st_mode));
    assert_true(lstat(link, &st) == 0 && S_ISLNK(st.st_mode));
    assert_int_equal(temp_special_open(file), -ENOENT);
    assert_int_equal(temp_special_open(t.path), -ENOENT);
    assert_int_equal(temp_dir_make_beside(&beside, file, "b-", NULL), 0);
    assert_int_equal(strncmp(beside.path, t.path, strlen(t.path)), 0);
    assert_int_equal(temp_dir_make_beside(&elsewhere, fifo, "e-", NULL), 0);
    assert_int_not_equal(strncmp(elsewhere.path, t.path, strlen(t.path)), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_folder_goes_with_all_that_is_in_it),
        cmocka_unit_test(the_parent_is_tmpdir_or_what_is_given),
        cmocka_unit_test(a_file_gets_its_name_and_everybodys_rights),
        cmocka_unit_test(devices_and_fifos_are_written_into),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
