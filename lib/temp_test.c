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
    assert_int_equal(temp_dir_make_beside(&beside, file, NULL), 0);
    assert_int_equal(strncmp(beside.path, t.path, strlen(t.path)), 0);
    assert_int_equal(temp_dir_make_beside(&elsewhere, fifo, NULL), 0);
    assert_int_not_equal(strncmp(elsewhere.path, t.path, strlen(t.path)), 0);
}

static size_t count(const char *dir) {
    AUTO_NAMES struct names names = {0};

    assert_int_equal(list_dir(dir, &names, NULL), 0);
    return names.len;
}

static mode_t type_of(const char *path) {
    struct stat st;

    return path && lstat(path, &st) == 0 ? st.st_mode & S_IFMT : 0;
}

/* What a process that is killed leaves has no lock any more. */
static void what_the_dead_have_left_goes(void **state) {
    AUTO_TEMP_DIR struct temp_dir t = {""}, alive = {""}, dir = {""};
    AUTO_FREE char *first = NULL, *second = NULL;

    (void)state;
    assert_int_equal(temp_dir_make(&t, NULL, "temp-test-", NULL), 0);
    AUTO_FREE char *out = path_join(t.path, "out"), *left = path_join(t.path, ".out.keelson-abcdef");
    AUTO_FREE char *folder = path_join(t.path, ".out.keelson-ABCDEF"), *inner = path_join(folder, "a/b");
    AUTO_FREE char *other = path_join(t.path, ".out2.keelson-abcdef"), *own = path_join(t.path, ".out.backup");
    assert_true(out && left && folder && inner && other && own);
    AUTO_CLOSE int fd = temp_file_make(out, &first);
    assert_true(fd >= 0);
    assert_int_equal(temp_dir_make_beside(&alive, out, NULL), 0);
    assert_int_equal(write_file_atomic(left, "x", 1, 0600, false, NULL), 0);
    assert_int_equal(mkdir_p(inner, 0700, NULL), 0);
    assert_int_equal(write_file_atomic(other, "x", 1, 0600, false, NULL), 0);
    assert_int_equal(write_file_atomic(own, "x", 1, 0600, false, NULL), 0);
    AUTO_CLOSE int again = temp_file_make(out, &second);
    assert_true(again >= 0);
    assert_int_equal(count(t.path), 5); /* first, second, alive, other, own */
    assert_true(type_of(first) && type_of(alive.path) && type_of(other) && type_of(own));
    assert_int_equal(mkdir_p(inner, 0700, NULL), 0);
    assert_int_equal(temp_dir_make_beside(&dir, out, NULL), 0);
    assert_int_equal(type_of(folder), 0);
    assert_int_equal(temp_file_rename(first, out), 0);
    temp_file_remove(second);
    temp_dir_remove(&alive);
    temp_dir_remove(&dir);
    assert_int_equal(count(t.path), 3);
}

static void links_are_written_through(void **state) {
    AUTO_TEMP_DIR struct temp_dir t = {""};
    AUTO_FREE char *made = NULL;
    AUTO_BUF struct buf text = BUF_INIT;

    (void)state;
    assert_int_equal(temp_dir_make(&t, NULL, "temp-test-", NULL), 0);
    AUTO_FREE char *link = path_join(t.path, "link"), *sub = path_join(t.path, "sub");
    AUTO_FREE char *second = path_join(t.path, "sub/second"), *file = path_join(t.path, "sub/file");
    AUTO_FREE char *loop = path_join(t.path, "loop"), *got = NULL;
    assert_true(link && sub && second && file && loop);
    assert_int_equal(mkdir_p(sub, 0700, NULL), 0);
    assert_int_equal(symlink(second, link), 0);
    assert_int_equal(symlink("file", second), 0); /* which is not there yet */
    assert_int_equal(symlink("loop", loop), 0);
    assert_int_equal(temp_target(link, &got), 0);
    assert_string_equal(got, file);
    free(steal_ptr(&got));
    assert_int_equal(temp_target(loop, &got), -ELOOP);
    AUTO_CLOSE int fd = temp_file_make(link, &made);
    assert_true(fd >= 0);
    assert_int_equal(strncmp(made, sub, strlen(sub)), 0);
    assert_int_equal(temp_file_rename(made, link), 0);
    assert_int_equal(type_of(link), S_IFLNK);
    assert_int_equal(type_of(second), S_IFLNK);
    assert_int_equal(type_of(file), S_IFREG);
    assert_int_equal(temp_file_write(link, "text", 4, NULL), 0);
    assert_int_equal(type_of(link), S_IFLNK);
    assert_int_equal(type_of(second), S_IFLNK);
    assert_int_equal(read_file(file, 10, &text, NULL), 0);
    assert_string_equal(text.data, "text");
}

/* Only root can make a link of somebody else. */
static void a_strangers_link_is_not_followed(void **state) {
    AUTO_TEMP_DIR struct temp_dir t = {""};
    AUTO_FREE char *got = NULL;

    (void)state;
    assert_int_equal(temp_dir_make(&t, NULL, "temp-test-", NULL), 0);
    AUTO_FREE char *link = path_join(t.path, "link");
    assert_true(link && symlink("/etc/passwd", link) == 0);
    if (geteuid() != 0 || lchown(link, 12345, 12345) < 0)
        skip();
    assert_int_equal(chmod(t.path, 01777), 0);
    assert_int_equal(temp_target(link, &got), -EACCES);
    assert_int_equal(chmod(t.path, 0700), 0);
    assert_int_equal(temp_target(link, &got), 0);
    assert_string_equal(got, "/etc/passwd");
}

static void a_file_without_a_name_is_in_tmpdir(void **state) {
    AUTO_TEMP_DIR struct temp_dir t = {""};
    struct stat of_dir = {0}, of_file = {0};
    struct err e = {0};
    char back[2];

    (void)state;
    assert_int_equal(temp_dir_make(&t, NULL, "temp-test-", NULL), 0);
    assert_int_equal(setenv("TMPDIR", t.path, 1), 0);
    AUTO_FCLOSE FILE *f = NULL, *none = NULL;
    assert_int_equal(temp_unnamed_stream(&f, &e), 0);
    assert_true(stat(t.path, &of_dir) == 0 && fstat(fileno(f), &of_file) == 0);
    assert_int_equal(of_file.st_dev, of_dir.st_dev);
    assert_int_equal(of_file.st_nlink, 0);
    assert_int_equal(of_file.st_mode & 07777, 0600);
    assert_true(fwrite("xy", 2, 1, f) == 1 && fseek(f, 0, SEEK_SET) == 0 && fread(back, 2, 1, f) == 1);
    assert_memory_equal(back, "xy", 2);
    assert_int_equal(rmdir(t.path), 0); /* nothing is in it */
    assert_int_equal(temp_unnamed(&e), -ENOENT);
    assert_non_null(strstr(e.msg, t.path));
    assert_int_equal(temp_unnamed_stream(&none, &e), -ENOENT);
    assert_null(none);
    assert_int_equal(mkdir(t.path, 0700), 0);
    assert_int_equal(unsetenv("TMPDIR"), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_folder_goes_with_all_that_is_in_it),
        cmocka_unit_test(the_parent_is_tmpdir_or_what_is_given),
        cmocka_unit_test(a_file_gets_its_name_and_everybodys_rights),
        cmocka_unit_test(devices_and_fifos_are_written_into),
        cmocka_unit_test(what_the_dead_have_left_goes),
        cmocka_unit_test(links_are_written_through),
        cmocka_unit_test(a_strangers_link_is_not_followed),
        cmocka_unit_test(a_file_without_a_name_is_in_tmpdir),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
