/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/temp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>

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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_folder_goes_with_all_that_is_in_it),
        cmocka_unit_test(the_parent_is_tmpdir_or_what_is_given),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
