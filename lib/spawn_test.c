/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "lib/fdutil.h"

#define SH(script) ((const char *const[]){"/bin/sh", "-c", script, NULL})

/* Runs the script with its stdout in a pipe; what it said is in out. */
static int run(struct spawn s, const char *script, char *out, size_t len) {
    int fds[2], status = -1;
    struct err e = {0};

    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    s.argv = SH(script);
    s.stdout_fd = fds[1];
    assert_int_equal(spawn_wait(&s, 20000, &status, &e), 0);
    (void)close(fds[1]);
    ssize_t n = read_full(fds[0], out, len - 1);
    (void)close(fds[0]);
    assert_true(n >= 0);
    out[n] = '\0';
    return status;
}

static void output_and_status_come_back(void **state) {
    char out[64];
    (void)state;
    int status = run((struct spawn)SPAWN_INIT, "echo hello; exit 3", out, sizeof(out));
    assert_string_equal(out, "hello\n");
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 3);
}

static void a_missing_program_gives_its_errno(void **state) {
    struct err e = {0};
    struct spawn s = SPAWN_INIT;
    pid_t pid;
    (void)state;
    s.argv = (const char *const[]){"/nonexistent/program", NULL};
    assert_int_equal(spawn(&s, &pid, NULL, &e), -ENOENT);
    assert_string_equal(e.msg, "could not run /nonexistent/program: No such file or directory");
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* nothing is left to reap */
    assert_int_equal(errno, ECHILD);
}

static void a_missing_directory_is_named_as_such(void **state) {
    struct err e = {0};
    struct spawn s = SPAWN_INIT;
    pid_t pid;
    (void)state;
    s.argv = SH("true");
    s.cwd = "/nonexistent";
    assert_int_equal(spawn(&s, &pid, NULL, &e), -ENOENT);
    assert_non_null(strstr(e.msg, "could not enter the directory of /bin/sh"));
}

static void descriptors_are_closed_except_the_kept(void **state) {
    char out[64];
    (void)state;
    int leaked = open("/dev/null", O_RDONLY);
    int kept = open("/dev/null", O_RDONLY);
    assert_int_equal(dup2(leaked, 8), 8);
    assert_int_equal(dup2(kept, 9), 9);
    struct spawn s = SPAWN_INIT;
    s.keep_fds = (const int[]){9};
    s.keep_fds_len = 1;
    (void)run(s, "for n in 8 9; do [ -e /proc/self/fd/$n ] && printf %s $n; done", out, sizeof(out));
    assert_string_equal(out, "9");
    (void)close(8);
    (void)close(9);
    (void)close(leaked);
    (void)close(kept);
}

static void stdio_may_be_given_crosswise(void **state) {
    char out[64];
    int fds[2];
    (void)state;
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    struct spawn s = SPAWN_INIT;
    s.stderr_fd = STDOUT_FILENO;
    s.stdin_fd = fds[0];
    assert_int_equal(write(fds[1], "in", 2), 2);
    (void)close(fds[1]);
    (void)run(s, "cat", out, sizeof(out));
    (void)close(fds[0]);
    assert_string_equal(out, "in");
}

static void without_stdin_there_is_null(void **state) {
    char out[64];
    (void)state;
    (void)run((struct spawn)SPAWN_INIT, "readlink /proc/self/fd/0", out, sizeof(out));
    assert_string_equal(out, "/dev/null\n");
}

static void signals_are_as_at_the_start(void **state) {
    char out[64];
    sigset_t set, old;
    (void)state;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    assert_int_equal(sigprocmask(SIG_BLOCK, &set, &old), 0);
    (void)signal(SIGUSR1, SIG_IGN);
    /* 32 and 33 are libc's own: it lets nobody set them */
    (void)run((struct spawn)SPAWN_INIT,
              "for w in Blk Ign; do v=$(grep ^Sig$w: /proc/self/status | cut -f2); echo $((0x$v & 0x7fffffff)); done",
              out, sizeof(out));
    (void)signal(SIGUSR1, SIG_DFL);
    assert_int_equal(sigprocmask(SIG_SETMASK, &old, NULL), 0);
    assert_string_equal(out, "0\n0\n");
}

static void environment_and_directory_are_those_given(void **state) {
    char out[64];
    (void)state;
    struct spawn s = SPAWN_INIT;
    s.envp = (const char *const[]){"A=b", NULL};
    s.cwd = "/";
    (void)run(s, "echo $A; pwd", out, sizeof(out));
    assert_string_equal(out, "b\n/\n");
}

static void past_the_deadline_it_is_killed(void **state) {
    struct err e = {0};
    struct spawn s = SPAWN_INIT;
    int status = 0;
    (void)state;
    s.argv = (const char *const[]){"sleep", "1000", NULL};
    assert_int_equal(spawn_wait(&s, 50, &status, &e), -ETIMEDOUT);
    assert_true(WIFSIGNALED(status));
    assert_string_equal(e.msg, "could not wait for sleep: it did not end within 50 ms");
}

static void a_pidfd_becomes_readable_at_the_end(void **state) {
    struct err e = {0};
    struct spawn s = SPAWN_INIT;
    pid_t pid;
    int pidfd = -1;
    (void)state;
    s.argv = SH("exit 0");
    assert_int_equal(spawn(&s, &pid, &pidfd, &e), 0);
    assert_true(fcntl(pidfd, F_GETFD) & FD_CLOEXEC);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    (void)close(pidfd);
}

static void exits_are_told_in_words(void **state) {
    char buf[64];
    (void)state;
    assert_string_equal(exit_reason(3 << 8, buf, sizeof(buf)), "exited with status 3");
    assert_string_equal(exit_reason(9, buf, sizeof(buf)), "was killed by signal 9 (Killed)");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(output_and_status_come_back),
        cmocka_unit_test(a_missing_program_gives_its_errno),
        cmocka_unit_test(a_missing_directory_is_named_as_such),
        cmocka_unit_test(descriptors_are_closed_except_the_kept),
        cmocka_unit_test(stdio_may_be_given_crosswise),
        cmocka_unit_test(without_stdin_there_is_null),
        cmocka_unit_test(signals_are_as_at_the_start),
        cmocka_unit_test(environment_and_directory_are_those_given),
        cmocka_unit_test(past_the_deadline_it_is_killed),
        cmocka_unit_test(a_pidfd_becomes_readable_at_the_end),
        cmocka_unit_test(exits_are_told_in_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
