/* SPDX-License-Identifier: Apache-2.0 */
#include "memlogd/logfiles.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#include <cmocka.h>

#include "lib/fdutil.h"

static char dir[] = "/tmp/logfiles_test.XXXXXX";
static struct logfiles files;
static unsigned whole_files_synced, lines_synced;

int __wrap_fsync(int fd);
int __wrap_fdatasync(int fd);

int __wrap_fsync(int fd) {
    whole_files_synced++;
    return fcntl(fd, F_GETFD) < 0 ? -1 : 0;
}

int __wrap_fdatasync(int fd) {
    lines_synced++;
    return fcntl(fd, F_GETFD) < 0 ? -1 : 0;
}

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

static void start(unsigned max_files, uint64_t max_size, enum logfiles_sync sync) {
    logfiles_init(&files, &(struct logfiles_config){dir, max_files, max_size, sync, false});
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
    start(10, 1 << 20, LOGFILES_SYNC_NEVER);
    assert_int_equal(append("web.out", "hello world"), 0);
    assert_int_equal(append("web", "oops"), 0);
    assert_content("web.out.log", "2024-01-02T03:04:05Z web.out hello world\n");
    assert_content("web.log", "2024-01-02T03:04:05Z web oops\n");
}

#define LINE "2024-01-02T03:04:05Z s "

static void rotation_keeps_so_many_files(void **state) {
    (void)state;
    start(3, strlen(LINE "0\n") * 2 - 1, LOGFILES_SYNC_ROTATE); /* rotates at every second line */
    for (char digit[] = "0"; *digit <= '8'; (*digit)++)
        assert_int_equal(append("s", digit), 0);
    assert_string_equal(listing(), "s.log s.log.0 s.log.1 s.log.2");
    assert_content("s.log", LINE "8\n");
    assert_content("s.log.0", LINE "6\n" LINE "7\n");
    assert_content("s.log.2", LINE "2\n" LINE "3\n");
}

static void it_gets_to_the_disk_when_that_is_wanted(void **state) {
    static const struct {
        enum logfiles_sync sync;
        bool compress;
        unsigned files, lines;
    } cases[] = {{LOGFILES_SYNC_NEVER, false, 0, 0},
                 {LOGFILES_SYNC_NEVER, true, 0, 0},
                 {LOGFILES_SYNC_ROTATE, false, 2, 0},
                 {LOGFILES_SYNC_ROTATE, true, 4, 0}, /* what is compressed, too */
                 {LOGFILES_SYNC_LINE, false, 2, 5}};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        logfiles_init(&files,
                      &(struct logfiles_config){dir, 3, strlen(LINE "0\n") * 2 - 1, cases[i].sync, cases[i].compress});
        whole_files_synced = lines_synced = 0;
        char source[] = {(char)('a' + i), '\0'};
        for (char digit[] = "0"; *digit <= '4'; (*digit)++) /* rotates twice */
            assert_int_equal(append(source, digit), 0);
        assert_int_equal(whole_files_synced, cases[i].files);
        assert_int_equal(lines_synced, cases[i].lines);
        logfiles_close(&files);
    }
}

static void a_new_process_appends_and_knows_the_size(void **state) {
    (void)state;
    for (int i = 0; i < 3; i++) {
        start(3, strlen(LINE "0\n") * 2, LOGFILES_SYNC_LINE); /* rotates when there are three */
        assert_int_equal(append("s", "0"), 0);
        logfiles_close(&files);
    }
    assert_string_equal(listing(), "s.log.0");
    assert_content("s.log.0", LINE "0\n" LINE "0\n" LINE "0\n");
}

static void without_rotated_files_it_starts_anew(void **state) {
    (void)state;
    start(0, 10, LOGFILES_SYNC_NEVER);
    assert_int_equal(append("s", "0"), 0);
    assert_content("s.log", "");
    assert_string_equal(listing(), "s.log");
}

static void names_stay_in_the_directory(void **state) {
    (void)state;
    start(3, 1 << 20, LOGFILES_SYNC_NEVER);
    assert_int_equal(append("../../etc/x", "m"), 0);
    assert_int_equal(append("", "m"), 0);
    assert_int_equal(append("a\033b", "m"), 0);
    assert_string_equal(listing(), "_._.._etc_x.log _.log a_b.log");
}

static void many_sources_share_the_open_files(void **state) {
    (void)state;
    start(3, 1 << 20, LOGFILES_SYNC_NEVER);
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
    start(3, 1 << 20, LOGFILES_SYNC_NEVER);
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

/* What was compressed. */
static void assert_unpacked(const char *name, const char *want) {
    AUTO_BUF struct buf text = BUF_INIT;
    AUTO_FREE char *path = path_join(dir, name);
    char plain[256];

    assert_int_equal(read_file(path, 65536, &text, NULL), 0);
    size_t len = ZSTD_decompress(plain, sizeof(plain) - 1, text.data, text.len);
    assert_int_equal(len, strlen(want));
    plain[len] = '\0';
    assert_string_equal(plain, want);
}

static void put_file(const char *name, const char *text) {
    AUTO_FREE char *path = path_join(dir, name);

    assert_int_equal(write_file_atomic(path, text, strlen(text), 0644, false, NULL), 0);
}

static void rotated_files_are_compressed(void **state) {
    (void)state;
    put_file("s.log", LINE "a\n");
    put_file("s.log.0", LINE "b\n"); /* of a time without compression */
    logfiles_init(&files, &(struct logfiles_config){dir, 3, strlen(LINE "0\n") * 2 - 1, LOGFILES_SYNC_ROTATE, true});
    assert_int_equal(append("s", "0"), 0);
    assert_string_equal(listing(), "s.log.0.zst s.log.1");
    for (char digit[] = "1"; *digit <= '5'; (*digit)++)
        assert_int_equal(append("s", digit), 0);
    assert_string_equal(listing(), "s.log s.log.0.zst s.log.1.zst s.log.2.zst");
    assert_unpacked("s.log.0.zst", LINE "3\n" LINE "4\n");
    assert_unpacked("s.log.2.zst", LINE "a\n" LINE "0\n");
    assert_content("s.log", LINE "5\n");
}

/* Compression that was switched off: the last number must not be there both ways. */
static void the_last_one_goes_however_it_was_kept(void **state) {
    (void)state;
    put_file("s.log.1", LINE "1\n");
    put_file("s.log.2.zst", "old");
    start(3, 1, LOGFILES_SYNC_NEVER);
    assert_int_equal(append("s", "2"), 0);
    assert_string_equal(listing(), "s.log.0 s.log.2");
}

/* Killed between making the compressed file and removing the other; and while it was made. */
static void a_rotation_that_was_cut_off_is_put_right(void **state) {
    (void)state;
    put_file("s.log", LINE "2\n");
    put_file("s.log.0", LINE "1\n");
    put_file("s.log.0.zst", "as if");
    put_file("s.log.0.zst.new", "half");
    logfiles_init(&files, &(struct logfiles_config){dir, 3, strlen(LINE "0\n") * 2 - 1, LOGFILES_SYNC_NEVER, true});
    assert_int_equal(append("s", "3"), 0);
    assert_string_equal(listing(), "s.log.0.zst s.log.1.zst");
    assert_content("s.log.1.zst", "as if");
    assert_unpacked("s.log.0.zst", LINE "2\n" LINE "3\n");
}

static void a_torn_line_gets_its_end(void **state) {
    (void)state;
    put_file("s.log", LINE "one\n2024-01-0");
    start(3, 1 << 20, LOGFILES_SYNC_NEVER);
    assert_int_equal(append("s", "two"), 0);
    assert_content("s.log", LINE "one\n2024-01-0\n" LINE "two\n");
}

/* Whoever may write to the directory can put anything there: nothing is waited for, and nothing written through it. */
static void what_is_no_file_is_refused(void **state) {
    AUTO_FREE char *fifo = path_join(dir, "f.log"), *link = path_join(dir, "l.log"), *other = path_join(dir, "other");

    (void)state;
    put_file("other", "");
    assert_int_equal(mkfifo(fifo, 0600) | symlink(other, link), 0);
    start(3, 1 << 20, LOGFILES_SYNC_NEVER);
    int to_fifo = append("f", "m"), to_link = append("l", "m");
    assert_true(to_fifo < 0 && !logfiles_may_pass(&files, to_fifo));
    assert_true(to_link < 0 && !logfiles_may_pass(&files, to_link));
    assert_content("other", "");
    assert_true(logfiles_may_pass(&files, -ENOSPC) && logfiles_may_pass(&files, -EROFS) &&
                logfiles_may_pass(&files, -ENOENT));
}

static void what_was_removed_is_made_again(void **state) {
    char path[80];

    (void)state;
    start(3, 1000, LOGFILES_SYNC_NEVER);
    assert_int_equal(append("s", "one"), 0);
    assert_int_equal(append("t", "one"), 0);
    (void)snprintf(path, sizeof(path), "%s/s.log", dir);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(append("s", "two"), 0);
    assert_content("s.log", "2024-01-02T03:04:05Z s two\n");
    assert_int_equal(unlink(path), 0);
    (void)snprintf(path, sizeof(path), "%s/t.log", dir);
    assert_int_equal(unlink(path) | rmdir(dir), 0);
    assert_int_equal(append("t", "three"), 0);
    assert_content("t.log", "2024-01-02T03:04:05Z t three\n");
    assert_int_equal(append("s", "four"), 0);
    assert_content("s.log", "2024-01-02T03:04:05Z s four\n");
}

static void a_rotation_that_fails_is_not_tried_with_each_line(void **state) {
    struct ring_entry e = {.source = "s", .source_len = 1, .msg = "0123456789", .msg_len = 10};
    char path[80];
    unsigned told = 0;

    (void)state;
    start(3, 100, LOGFILES_SYNC_NEVER);
    (void)snprintf(path, sizeof(path), "%s/s.log.2", dir);
    assert_int_equal(mkdir(path, 0755), 0); /* is in the way */
    for (int i = 0; i < 1000; i++) {
        struct err why = {0};
        assert_int_equal(logfiles_append(&files, &e, &why), 0);
        told += why.code != 0;
    }
    assert_in_range(told, 1, 10); /* by now 1023 s would have to be over for more */
    assert_int_equal(rmdir(path), 0);
    files.v[0].rotate_after_ms = 1; /* the pause is over */
    assert_int_equal(append("s", "last"), 0);
    assert_string_equal(listing(), "s.log.0");
    assert_int_equal(append("s", "on"), 0);
    assert_content("s.log", "2024-01-02T03:04:05Z s on\n");
}

/* As an ordinary user, whom root lets in later. */
static void a_directory_that_is_not_ours_may_be_ours_later(void **state) {
    (void)state;
    start(3, 100, LOGFILES_SYNC_NEVER);
    if (geteuid() == 0)
        assert_int_equal(seteuid(65534), 0);
    else
        assert_int_equal(chmod(dir, 0555), 0);
    int closed = append("s", "x");
    bool may_pass = logfiles_may_pass(&files, closed);
    if (getuid() == 0)
        assert_int_equal(seteuid(0), 0);
    assert_int_equal(chmod(dir, 0777), 0);
    assert_int_equal(closed, -EACCES);
    assert_true(may_pass);
    assert_false(logfiles_may_pass(&files, -EACCES)); /* the directory is open: it is that one file */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_line_has_time_source_and_text, setup, teardown),
        cmocka_unit_test_setup_teardown(rotation_keeps_so_many_files, setup, teardown),
        cmocka_unit_test_setup_teardown(it_gets_to_the_disk_when_that_is_wanted, setup, teardown),
        cmocka_unit_test_setup_teardown(a_new_process_appends_and_knows_the_size, setup, teardown),
        cmocka_unit_test_setup_teardown(without_rotated_files_it_starts_anew, setup, teardown),
        cmocka_unit_test_setup_teardown(names_stay_in_the_directory, setup, teardown),
        cmocka_unit_test_setup_teardown(many_sources_share_the_open_files, setup, teardown),
        cmocka_unit_test_setup_teardown(a_full_disk_leaves_whole_lines, setup, teardown),
        cmocka_unit_test_setup_teardown(rotated_files_are_compressed, setup, teardown),
        cmocka_unit_test_setup_teardown(the_last_one_goes_however_it_was_kept, setup, teardown),
        cmocka_unit_test_setup_teardown(a_rotation_that_was_cut_off_is_put_right, setup, teardown),
        cmocka_unit_test_setup_teardown(a_torn_line_gets_its_end, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_no_file_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(what_was_removed_is_made_again, setup, teardown),
        cmocka_unit_test_setup_teardown(a_rotation_that_fails_is_not_tried_with_each_line, setup, teardown),
        cmocka_unit_test_setup_teardown(a_directory_that_is_not_ours_may_be_ours_later, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
