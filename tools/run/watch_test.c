/* SPDX-License-Identifier: Apache-2.0 */
/* A shell in QEMU's place, which says on its port what a guest would say. */
#include "tools/run/watch.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/fdutil.h"
#include "lib/log.h"
#include "lib/temp.h"

#define PORT_FD 9 /* a shell takes one digit */
#define RECORD(state, ok)                                                                                              \
    "echo '{\"version\":1,\"state\":\"" state "\",\"ok\":" ok ",\"failed\":[],\"stages\":[]}' >&9; "
#define FOREVER "exec sleep 1000"
#define OUTPUT_MAX 4096

static struct temp_dir dir;

static int begin(void **state) {
    (void)state;
    log_set_fd(-1);
    return temp_dir_make(&dir, NULL, "watch_test.", NULL);
}

static int finish(void **state) {
    (void)state;
    log_set_fd(STDERR_FILENO);
    temp_dir_remove(&dir);
    return 0;
}

/* Sends a descriptor into a file of the folder; returns what it was. */
static int redirect(int fd, const char *name) {
    AUTO_FREE char *path = path_join(dir.path, name);
    int saved = dup(fd);
    AUTO_CLOSE int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    assert_true(saved >= 0 && file >= 0 && dup2(file, fd) == fd);
    return saved;
}

static void restore(int fd, int saved) {
    assert_int_equal(dup2(saved, fd), fd);
    (void)close(saved);
}

static void expect_output(const char *name, const char *words) {
    AUTO_FREE char *path = path_join(dir.path, name);
    AUTO_BUF struct buf text = BUF_INIT;

    assert_int_equal(read_file(path, OUTPUT_MAX, &text, NULL), 0);
    if (!*words)
        assert_int_equal(text.len, 0);
    else
        assert_non_null(memmem(text.data, text.len, words, strlen(words)));
}

/* What watch_run() returns for a machine that does what the script says. */
static int watched(const char *program, const char *script, const struct run_options *o) {
    char *words[] = {(char *)(uintptr_t)program, (char *)(uintptr_t) "-c", (char *)(uintptr_t)script, NULL};
    struct qemu_command q = {.len = 3};
    int pair[2];
    sigset_t before;

    memcpy(q.words, words, sizeof(words));
    assert_int_equal(sigprocmask(SIG_BLOCK, NULL, &before), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    assert_int_equal(dup2(pair[1], PORT_FD), PORT_FD);
    (void)close(pair[1]);
    int out = redirect(STDOUT_FILENO, "stdout"), err = redirect(STDERR_FILENO, "stderr");
    int status = watch_run(&q, o, pair[0], PORT_FD);
    restore(STDOUT_FILENO, out);
    restore(STDERR_FILENO, err);
    (void)close(pair[0]);
    assert_int_equal(sigprocmask(SIG_SETMASK, &before, NULL), 0);
    return status;
}

static const struct {
    const char *script;
    enum run_wait wait;
    int status;
} ends[] = {
    /* Nobody waits for what the guest says: QEMU's own end counts. */
    {"exit 0", RUN_WAIT_NOT, 0},
    {"exit 3", RUN_WAIT_NOT, 1},
    {"kill -9 $$", RUN_WAIT_NOT, 1},
    {RECORD("up", "false") "exit 0", RUN_WAIT_NOT, 0},
    /* Until it is up: the machine is ended then. */
    {RECORD("up", "true") FOREVER, RUN_WAIT_UP, 0},
    {RECORD("up", "false") FOREVER, RUN_WAIT_UP, RUN_GUEST_FAILED},
    {RECORD("booting", "false") RECORD("up", "true") FOREVER, RUN_WAIT_UP, 0},
    {"echo garbage >&9; " RECORD("up", "true") FOREVER, RUN_WAIT_UP, 0},
    {RECORD("booting", "false") "exit 0", RUN_WAIT_UP, RUN_NO_VERDICT},
    {"exit 0", RUN_WAIT_UP, RUN_NO_VERDICT},
    {RECORD("booting", "false") "exit 3", RUN_WAIT_UP, 1},
    /* Until it is down: being up is not the end, and the last word counts. */
    {RECORD("up", "true") RECORD("down", "true") "exit 0", RUN_WAIT_DOWN, 0},
    {RECORD("up", "true") RECORD("down", "false") "exit 0", RUN_WAIT_DOWN, RUN_GUEST_FAILED},
    {RECORD("down", "true") "exit 1", RUN_WAIT_DOWN, 1},
    /* Signals to us end the machine, and are told from its own end. */
    {"kill -TERM $PPID; " FOREVER, RUN_WAIT_NOT, 128 + SIGTERM},
    {"kill -INT $PPID; " FOREVER, RUN_WAIT_UP, 128 + SIGINT},
};

static void each_end_has_its_exit_status(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
        const struct run_options o = {.wait = ends[i].wait};
        int status = watched("/bin/sh", ends[i].script, &o);
        if (status != ends[i].status)
            fail_msg("%s: %d, not %d", ends[i].script, status, ends[i].status);
    }
}

static void its_time_can_be_over(void **state) {
    const struct run_options o = {.wait = RUN_WAIT_UP, .timeout_s = 1};
    (void)state;
    assert_int_equal(watched("/bin/sh", RECORD("booting", "false") FOREVER, &o), RUN_TIMED_OUT);
}

static void the_verdict_goes_to_stdout_as_json_and_the_console_does_not(void **state) {
    const struct run_options o = {.wait = RUN_WAIT_UP, .json = true}, plain = {.wait = RUN_WAIT_UP};
    (void)state;
    assert_int_equal(watched("/bin/sh", "echo the console; " RECORD("up", "true") FOREVER, &o), 0);
    expect_output("stdout", "{\"verdict\":\"ok\",\"exit\":0,");
    expect_output("stderr", "the console");
    assert_int_equal(watched("/bin/sh", "echo the console; " RECORD("up", "false") FOREVER, &plain), RUN_GUEST_FAILED);
    expect_output("stdout", "the console");
    expect_output("stderr", "the guest: up after 0.0 s, failed");
    assert_int_equal(watched("/bin/sh", "exit 0", &o), RUN_NO_VERDICT);
    expect_output("stdout", "{\"verdict\":\"none\",\"exit\":3,\"record\":null}");
}

static void a_chart_of_nothing_is_an_error(void **state) {
    AUTO_FREE char *chart = path_join(dir.path, "chart.svg");
    const struct run_options o = {.wait = RUN_WAIT_UP, .boot_chart = chart};
    (void)state;
    assert_int_equal(watched("/bin/sh", "exit 0", &o), RUN_NO_VERDICT);
    assert_int_not_equal(access(chart, F_OK), 0);
    assert_int_equal(watched("/bin/sh", RECORD("up", "true") FOREVER, &o), 0);
    expect_output("chart.svg", "<svg");
}

static void a_qemu_that_is_missing_is_named_with_its_package(void **state) {
    const struct run_options o = {.wait = RUN_WAIT_UP}, arm = {.arch = RUN_AARCH64};
    (void)state;
    log_set_fd(STDERR_FILENO);
    assert_int_equal(watched("/no/qemu", "", &o), 1);
    expect_output("stderr", "could not find /no/qemu: install the Debian package qemu-system-x86");
    assert_int_equal(watched("/no/qemu", "", &arm), 1);
    expect_output("stderr", "qemu-system-arm");
    log_set_fd(-1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_end_has_its_exit_status),
        cmocka_unit_test(its_time_can_be_over),
        cmocka_unit_test(the_verdict_goes_to_stdout_as_json_and_the_console_does_not),
        cmocka_unit_test(a_chart_of_nothing_is_an_error),
        cmocka_unit_test(a_qemu_that_is_missing_is_named_with_its_package),
    };
    return cmocka_run_group_tests(tests, begin, finish);
}
