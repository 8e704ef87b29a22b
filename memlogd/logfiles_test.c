/* SPDX-License-Identifier: Apache-2.0 */
#include "memlogd/logfiles.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/fdutil.h"

static char dir[] = "/tmp/logfiles_test.XXXXXX";
static struct logfiles files;

static int setup(void **state) {
    (void)state;
    memcpy(strrchr(dir, '.'), ".XXXXXX", 7);
    return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state) {
    AUTO_NAMES struct names names = {0};

    (void)state;
    logfiles_close(&files);
    if (list_dir(dir, &names, NULL) < 0)
        return -1;
    for (size_t i = 0; i < names.len; i++) {
        AUTO_FREE char *path = path_join(dir, names.v[i]);
        if (!path || unlink(path) < 0)
            return -1;
    }
    return rmdir(dir);
}

static int append(const char *source, const char *msg) {
    struct err e = {0};

    return logfiles_append(&files,
                           &(struct ring_entry){.time_ns = 1704164645900000000,
                                                .source = source,
                                                .source_len = (uint16_t)strlen(source),
                                                .msg = msg,
                                                .msg_len = (uint32_t)strlen(msg)},
                           &e);
}

/* The files' names, with blanks between. */
static const char *listing(void) {
    static char text[4096];
    AUTO_NAMES struct names names = {0};

    *text = '\0';
    assert_int_equal(list_dir(dir, &names, NULL), 0);
    for (size_t i = 0; i < names.len; i++)
        (void)snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s", i ? " " : "", names.v[i]);
    return text;
}

static void assert_content(const char *name, const char *want) {
    AUTO_BUF struct buf text = BUF_INIT;
    AUTO_FREE char *path = path_join(dir, name);

    assert_non_null(path);
    assert_int_equal(read_file(path, 65536, &text, NULL), 0);
    assert_string_equal(text.data ? text.data : "", want);
}

static void a_line_has_time_source_and_text(void **state) {
    (void)state;
    logfiles_init(&files, dir, 10, 1 << 20, LOGFILES_SYNC_NEVER);
    assert_int_equal(append("web.out", "hello world"), 0);
    assert_int_equal(append("web", "oops"), 0);
    assert_content("web.out.log", "2024-01-02T03:04:05Z web.out hello world\n");
    assert_content("web.log", "2024-01-02T03:04:05Z web oops\n");
}

#define LINE "2024-01-02T03:04:05Z s "

static void rotation_keeps_so_many_files(void **state) {
    (void)state;
    logfiles_init(&files, dir, 3, strlen(LINE "0\n") * 2 - 1, LOGFILES_SYNC_ROTATE); /* rotates at every second line */
    for (char digit[] = "0"; *digit <= '8'; (*digit)++)
        assert_int_equal(append("s", digit), 0);
    assert_string_equal(listing(), "s.log s.log.0 s.log.1 s.log.2");
    assert_content("s.log", LINE "8\n");
    assert_content("s.log.0", LINE "6\n" LINE "7\n");
    assert_content("s.log.2", LINE "2\n" LINE "3\n");
}

static void a_new_process_appends_and_knows_the_size(void **state) {
    (void)state;
    for (int i = 0; i < 3; i++) {
        logfiles_init(&files, dir, 3, strlen(LINE "0\n") * 2, LOGFILES_SYNC_LINE); /* rotates when there are three */
        assert_int_equal(append("s", "0"), 0);
        logfiles_close(&files);
    }
    assert_string_equal(listing(), "s.log.0");
    assert_content("s.log.0", LINE "0\n" LINE "0\n" LINE "0\n");
}

static void without_rotated_files_it_starts_anew(void **state) {
    (void)state;
    logfiles_init(&files, dir, 0, 10, LOGFILES_SYNC_NEVER);
    assert_int_equal(append("s", "0"), 0);
    assert_content("s.log", "");
    assert_string_equal(listing(), "s.log");
}

static void names_stay_in_the_directory(void **state) {
    (void)state;
    logfiles_init(&files, dir, 3, 1 << 20, LOGFILES_SYNC_NEVER);
    assert_int_equal(append("../../etc/x", "m"), 0);
    assert_int_equal(append("", "m"), 0);
    assert_int_equal(append("a\033b", "m"), 0);
    assert_string_equal(listing(), "_._.._etc_x.log _.log a_b.log");
}

static void many_sources_share_the_open_files(void **state) {
    (void)state;
    logfiles_init(&files, dir, 3, 1 << 20, LOGFILES_SYNC_NEVER);
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < 2 * LOGFILES_OPEN; i++) {
            char name[16];
            (void)snprintf(name, sizeof(name), "n%d", i);
            assert_int_equal(append(name, "m"), 0);
        }
    assert_content("n0.log", "2024-01-02T03:04:05Z n0 m\n2024-01-02T03:04:05Z n0 m\n");
    assert_content("n127.log", "2024-01-02T03:04:05Z n127 m\n2024-01-02T03:04:05Z n127 m\n");
}

/* A file that must not grow is a full disk: the same errors, short writes included. */
static void a_full_disk_leaves_whole_lines(void **state) {
    struct rlimit old, small;

    (void)state;
    (void)signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    small = old;
    small.rlim_cur = strlen(LINE "0\n") + 10;
    logfiles_init(&files, dir, 3, 1 << 20, LOGFILES_SYNC_NEVER);
    assert_int_equal(append("s", "0"), 0);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    int cut_short = append("s", "1");
    int again = append("s", "1");
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_true(cut_short < 0 && again < 0);
    assert_content("s.log", LINE "0\n");
    assert_int_equal(append("s", "1"), 0);
    assert_content("s.log", LINE "0\n" LINE "1\n");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_line_has_time_source_and_text, setup, teardown),
        cmocka_unit_test_setup_teardown(rotation_keeps_so_many_files, setup, teardown),
        cmocka_unit_test_setup_teardown(a_new_process_appends_and_knows_the_size, setup, teardown),
        cmocka_unit_test_setup_teardown(without_rotated_files_it_starts_anew, setup, teardown),
        cmocka_unit_test_setup_teardown(names_stay_in_the_directory, setup, teardown),
        cmocka_unit_test_setup_teardown(many_sources_share_the_open_files, setup, teardown),
        cmocka_unit_test_setup_teardown(a_full_disk_leaves_whole_lines, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
