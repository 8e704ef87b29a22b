/* SPDX-License-Identifier: Apache-2.0 */
/* Directories of real scripts. */
#include "init/steps.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "lib/log.h"

static char top[] = "/tmp/steps_test.XXXXXX", dir[64], trace[64];

static void script(const char *name, mode_t mode, const char *body) {
    AUTO_FREE char *path = path_join(dir, name);
    char text[256];

    int n = snprintf(text, sizeof(text), "#!/bin/sh\necho %s >>%s\n%s\n", name, trace, body);
    assert_non_null(path);
    assert_int_equal(write_file_atomic(path, text, (size_t)n, mode, false, NULL), 0);
}

/* Runs what steps_begin() has started to its end. */
static void run_all(struct steps *s) {
    bool ended = false;
    int status;

    while (!ended) {
        pid_t pid = waitpid(-1, &status, 0);
        assert_true(pid > 0);
        assert_true(steps_reaped(s, pid, status, &ended));
    }
    assert_null(steps_current(s));
}

static void expect_trace(const char *want) {
    AUTO_BUF struct buf text = BUF_INIT;

    (void)read_file(trace, 4096, &text, NULL);
    assert_string_equal(text.data ? text.data : "", want);
}

static int begin(void **state) {
    (void)state;
    log_set_fd(-1);
    return mkdir(dir, 0755);
}

static int finish(void **state) {
    AUTO_NAMES struct names names = {0};
    (void)state;
    log_set_fd(2);
    (void)unlink(trace);
    if (list_dir(dir, &names, NULL) < 0)
        return -1;
    for (size_t i = 0; i < names.len; i++) {
        AUTO_FREE char *path = path_join(dir, names.v[i]);
        if (!path || remove(path) < 0)
            return -1;
    }
    return rmdir(dir);
}

static void they_run_in_the_order_of_their_names_whatever_fails(void **state) {
    struct steps s;
    (void)state;
    script("020-c", 0755, "exit 0");
    script("005-a", 0755, "exit 7");
    script("010-b", 0755, "kill -9 $$");
    assert_true(steps_begin(&s, dir, "init.d"));
    assert_string_equal(steps_current(&s), "005-a");
    run_all(&s);
    expect_trace("005-a\n010-b\n020-c\n");
}

static void only_files_are_run_and_links_are_followed(void **state) {
    AUTO_FREE char *link = path_join(dir, "02-link"), *below = path_join(dir, "03-dir"),
                   *dead = path_join(dir, "04-dead");
    struct steps s;
    (void)state;
    script("01-file", 0755, "");
    script("05-not-executable", 0644, "");
    assert_int_equal(symlink("01-file", link), 0);
    assert_int_equal(mkdir(below, 0755), 0);
    assert_int_equal(symlink("nowhere", dead), 0);
    assert_true(steps_begin(&s, dir, "init.d"));
    run_all(&s);
    expect_trace("01-file\n01-file\n");
}

static void nothing_to_run_is_nothing_to_wait_for(void **state) {
    struct steps s;
    (void)state;
    assert_false(steps_begin(&s, dir, "init.d"));
    assert_false(steps_begin(&s, "/nonexistent/init.d", "init.d"));
    assert_null(steps_current(&s));
}

static void others_ends_are_not_its_business(void **state) {
    struct steps s;
    bool ended;
    (void)state;
    script("01-a", 0755, "");
    assert_true(steps_begin(&s, dir, "init.d"));
    assert_false(steps_reaped(&s, s.pid + 1, 0, &ended));
    assert_false(ended);
    assert_string_equal(steps_current(&s), "01-a");
    run_all(&s);
}

/* With all that the step has started: they are in its session. */
static void what_is_abandoned_ends_and_nothing_follows(void **state) {
    struct steps s;
    bool ended;
    int status;
    (void)state;
    script("01-long", 0755, "sleep 60 & wait");
    script("02-next", 0755, "");
    assert_true(steps_begin(&s, dir, "init.d"));
    pid_t pid = s.pid;
    struct stat st = {0};
    while (stat(trace, &st) < 0 || st.st_size == 0) /* until it runs, and has said so */
        (void)usleep(1000);
    steps_abandon(&s);
    assert_null(steps_current(&s));
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
    assert_false(steps_reaped(&s, pid, status, &ended));
    expect_trace("01-long\n");
}

static int make_dir(void **state) {
    (void)state;
    if (!mkdtemp(top))
        return -1;
    (void)snprintf(dir, sizeof(dir), "%s/steps.d", top);
    (void)snprintf(trace, sizeof(trace), "%s/trace", top);
    return 0;
}

static int remove_dir(void **state) {
    (void)state;
    return rmdir(top);
}

#define T(name) cmocka_unit_test_setup_teardown(name, begin, finish)

int main(void) {
    const struct CMUnitTest tests[] = {
        T(they_run_in_the_order_of_their_names_whatever_fails),
        T(only_files_are_run_and_links_are_followed),
        T(nothing_to_run_is_nothing_to_wait_for),
        T(others_ends_are_not_its_business),
        T(what_is_abandoned_ends_and_nothing_follows),
    };
    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
