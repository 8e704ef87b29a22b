/* SPDX-License-Identifier: Apache-2.0 */
#include "svcd/logbound.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "lib/fdutil.h"
#include "lib/temp.h"

#define MAX 1000

static struct temp_dir dir;
static char path[PATH_MAX + 16], old[PATH_MAX + 16];
static uint64_t kept, lost;
static struct err e;

static int setup(void **state) {
    (void)state;
    e = (struct err){0};
    if (temp_dir_make(&dir, NULL, "logbound_test.", &e) < 0)
        return -1;
    (void)snprintf(path, sizeof(path), "%s/www.log", dir.path);
    (void)snprintf(old, sizeof(old), "%s/www.log.0", dir.path);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    temp_dir_remove(&dir);
    return 0;
}

/* A writer, as a shim is one: its byte number n is n % 251. */
static int written(size_t from, size_t to) {
    int fd = open_log_file(path, &e);

    assert_true(fd >= 0);
    for (size_t i = from; i < to; i++) {
        unsigned char byte = (unsigned char)(i % 251);
        assert_int_equal(write(fd, &byte, 1), 1);
    }
    return fd;
}

static void has(const char *file, size_t from, size_t to) {
    AUTO_BUF struct buf text = BUF_INIT;

    assert_int_equal(read_file(file, 1 << 20, &text, &e), 0);
    assert_int_equal(text.len, to - from);
    for (size_t i = from; i < to; i++)
        assert_int_equal((unsigned char)text.data[i - from], i % 251);
}

static void one_that_is_short_enough_stays(void **state) {
    (void)state;
    (void)close(written(0, MAX));
    assert_int_equal(logbound_cut(path, MAX, &kept, &lost, &e), 0);
    has(path, 0, MAX);
    assert_int_equal(access(old, F_OK), -1);
    (void)unlink(path);
    assert_int_equal(logbound_cut(path, MAX, &kept, &lost, &e), 0);
}

static void its_writer_goes_on_at_its_head_and_all_of_it_is_kept(void **state) {
    AUTO_CLOSE int fd = written(0, 2 * MAX);
    (void)state;
    assert_int_equal(logbound_cut(path, MAX, &kept, &lost, &e), 1);
    assert_int_equal(kept, 2 * MAX);
    assert_int_equal(lost, 0);
    has(old, 0, 2 * MAX);
    assert_int_equal(write(fd, "x", 1), 1);
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_size, 1);
}

static void of_one_that_is_far_too_long_the_end_is_kept_and_the_rest_counted(void **state) {
    AUTO_CLOSE int earlier = open(old, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    (void)state;
    (void)close(written(0, 5 * MAX));
    assert_int_equal(ftruncate(earlier, 10 * MAX), 0);
    assert_int_equal(logbound_cut(path, MAX, &kept, &lost, &e), 1);
    assert_int_equal(kept, 2 * MAX);
    assert_int_equal(lost, 3 * MAX);
    has(old, 3 * MAX, 5 * MAX);
    has(path, 0, 0);
}

static void without_a_place_for_the_end_it_is_bounded_all_the_same(void **state) {
    (void)state;
    (void)close(written(0, 3 * MAX));
    assert_int_equal(mkdir(old, 0700), 0);
    assert_int_equal(logbound_cut(path, MAX, &kept, &lost, &e), 1);
    assert_int_equal(kept, 0);
    assert_int_equal(lost, 3 * MAX);
    assert_non_null(strstr(e.msg, "www.log.0"));
    has(path, 0, 0);
}

static void what_a_container_has_put_in_its_place_is_left_alone(void **state) {
    char victim[PATH_MAX + 16];
    (void)state;
    (void)close(written(0, 3 * MAX));
    (void)snprintf(victim, sizeof(victim), "%s/victim", dir.path);
    assert_int_equal(rename(path, victim), 0);
    assert_int_equal(symlink(victim, path), 0);
    assert_int_equal(logbound_cut(path, MAX, &kept, &lost, &e), -ELOOP);
    has(victim, 0, 3 * MAX);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_true(logbound_cut(path, MAX, &kept, &lost, &e) < 0);
    /* Nor does what lies where the end is to go lead anywhere. */
    assert_int_equal(unlink(path), 0);
    (void)close(written(0, 3 * MAX));
    assert_int_equal(symlink(victim, old), 0);
    assert_int_equal(logbound_cut(path, MAX, &kept, &lost, &e), 1);
    has(victim, 0, 3 * MAX);
    has(old, MAX, 3 * MAX);
}

static void in_place_its_end_is_what_is_left(void **state) {
    (void)state;
    (void)close(written(0, MAX));
    assert_int_equal(logbound_shorten(path, MAX, &kept, &lost, &e), 0);
    (void)close(written(MAX, 20 * MAX + 7));
    assert_int_equal(logbound_shorten(path, 9 * MAX, &kept, &lost, &e), 1);
    assert_int_equal(kept, 9 * MAX);
    assert_int_equal(lost, 11 * MAX + 7);
    has(path, 11 * MAX + 7, 20 * MAX + 7);
    assert_int_equal(access(old, F_OK), -1);
}

/* --- watching --- */

static struct loop loop;
static struct logbound bound;
static struct loop_source patience;
static unsigned looks;

static void on_look(void *data) {
    (void)data;
    looks++;
    loop_stop(&loop);
}

static void on_patience_over(struct loop_source *src, void *data) {
    (void)src;
    (void)data;
    loop_stop(&loop);
}

static void run(uint64_t ms) {
    assert_int_equal(loop_set_timer(&loop, &patience, ms, on_patience_over, NULL), 0);
    loop.stopped = false;
    assert_int_equal(loop_run(&loop), 0);
    loop_remove(&loop, &patience);
}

static void many_writes_are_one_look_and_silence_is_none(void **state) {
    (void)state;
    assert_int_equal(loop_init(&loop), 0);
    logbound_init(&bound, &loop, dir.path, on_look, NULL);
    AUTO_CLOSE int fd = written(0, 1);
    looks = 0;
    assert_int_equal(logbound_watch(&bound, &e), 0);
    assert_int_equal(logbound_watch(&bound, &e), 0);
    run(LOGBOUND_PAUSE_MS * 3 / 2);
    assert_int_equal(looks, 0);
    for (int i = 0; i < 2; i++) { /* it goes on behind the first look */
        for (int k = 0; k < 1000; k++)
            assert_int_equal(write(fd, "x", 1), 1);
        run(60000);
        assert_int_equal(looks, i + 1);
    }
    logbound_fini(&bound);
    loop_fini(&loop);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_that_is_short_enough_stays, setup, teardown),
        cmocka_unit_test_setup_teardown(its_writer_goes_on_at_its_head_and_all_of_it_is_kept, setup, teardown),
        cmocka_unit_test_setup_teardown(of_one_that_is_far_too_long_the_end_is_kept_and_the_rest_counted, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(without_a_place_for_the_end_it_is_bounded_all_the_same, setup, teardown),
        cmocka_unit_test_setup_teardown(what_a_container_has_put_in_its_place_is_left_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(in_place_its_end_is_what_is_left, setup, teardown),
        cmocka_unit_test_setup_teardown(many_writes_are_one_look_and_silence_is_none, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
