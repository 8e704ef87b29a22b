/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Gettys that really run, on pseudo terminals in a /dev of our own. The getty is a script that adds its arguments to a
 * file and stays, or ends if the file `end` is there.
 */
#include "rungetty/lines.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "lib/fdutil.h"
#include "lib/log.h"

#define DEADLINE_MS 20000

struct fixture {
    char dir[64], dev[80], program[80], started[80], end[80];
    struct loop loop;
    struct loop_source signals, timer, deadline;
    struct lines lines;
    int master;
    char slave[64];
    const char *wanted;
    unsigned again_ms; /* never, if a test does not say otherwise */
};

static char logged[4096];

static void keep_log(const char *line, size_t len) {
    size_t used = strlen(logged);

    if (used + len < sizeof(logged)) {
        memcpy(logged + used, line, len);
        logged[used + len] = '\0';
    }
}

static void on_signal(struct loop_source *s, const struct signalfd_siginfo *info, void *data) {
    struct fixture *f = data;
    int status;
    pid_t pid;

    (void)s;
    (void)info;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
        lines_reaped(&f->lines, pid, status);
}

static int set_up(void **state) {
    static const char script[] =
        "#!/bin/sh\nd=${0%/*}\nprintf '%s\\n' \"$*\" >> $d/started\ntest -e $d/end || exec sleep 1000\n";
    struct fixture *f = calloc(1, sizeof(*f));
    sigset_t set;

    *state = f;
    f->again_ms = 1000 * DEADLINE_MS;
    (void)snprintf(f->dir, sizeof(f->dir), "/tmp/lines_test.XXXXXX");
    if (!mkdtemp(f->dir))
        return -1;
    (void)snprintf(f->dev, sizeof(f->dev), "%s/dev", f->dir);
    (void)snprintf(f->program, sizeof(f->program), "%s/getty", f->dir);
    (void)snprintf(f->started, sizeof(f->started), "%s/started", f->dir);
    (void)snprintf(f->end, sizeof(f->end), "%s/end", f->dir);
    f->master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (mkdir(f->dev, 0700) < 0 || f->master < 0 || grantpt(f->master) < 0 || unlockpt(f->master) < 0 ||
        ptsname_r(f->master, f->slave, sizeof(f->slave)) != 0 ||
        write_file_atomic(f->program, script, sizeof(script) - 1, 0700, false, NULL) < 0)
        return -1;
    logged[0] = '\0';
    log_set_sink(keep_log);
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    return loop_init(&f->loop) < 0 ? -1 : loop_add_signals(&f->loop, &f->signals, &set, on_signal, f);
}

static int tear_down(void **state) {
    struct fixture *f = *state;
    char path[128];

    lines_hang_up(&f->lines);
    while (waitpid(-1, NULL, 0) > 0)
        ;
    loop_remove(&f->loop, &f->deadline);
    loop_remove(&f->loop, &f->timer);
    loop_fini(&f->loop);
    log_set_sink(NULL);
    for (const char *const *name = (const char *const[]){"dev/ttyUSB0", "dev/hvc0", "started", "end", "getty", NULL};
         *name; name++) {
        (void)snprintf(path, sizeof(path), "%s/%s", f->dir, *name);
        (void)unlink(path);
    }
    (void)close(f->master);
    int r = rmdir(f->dev) | rmdir(f->dir);
    free(f);
    return r;
}

static void plug(struct fixture *f, const char *tty, bool in) {
    char path[128];

    (void)snprintf(path, sizeof(path), "%s/%s", f->dev, tty);
    assert_int_equal(in ? symlink(f->slave, path) : unlink(path), 0);
}

static void start(struct fixture *f, const char *words, const char *securetty, const char *notices) {
    const struct lines_config config = {f->dev, f->program, securetty, notices, f->again_ms, false};
    struct cmdline cmdline;

    cmdline_parse(&cmdline, words, strlen(words));
    lines_start(&f->lines, &f->loop, &config, &cmdline);
}

static void on_deadline(struct loop_source *s, void *data) {
    (void)s;
    loop_stop(&((struct fixture *)data)->loop);
}

/* True if the getty's file, or the log, is as wanted; looked at again and again while the loop runs. */
static bool is_so(const struct fixture *f) {
    AUTO_BUF struct buf b = BUF_INIT;

    if (strstr(logged, f->wanted))
        return true;
    return read_file(f->started, 65536, &b, NULL) == 0 && b.data && !strcmp(b.data, f->wanted);
}

static void on_timer(struct loop_source *s, void *data) {
    struct fixture *f = data;

    (void)s;
    if (is_so(f))
        loop_stop(&f->loop);
    else
        assert_int_equal(loop_set_timer(&f->loop, &f->timer, 20, on_timer, f), 0);
}

static void wait_for(struct fixture *f, const char *wanted) {
    f->wanted = wanted;
    assert_int_equal(loop_set_timer(&f->loop, &f->deadline, DEADLINE_MS, on_deadline, f), 0);
    assert_int_equal(loop_set_timer(&f->loop, &f->timer, 1, on_timer, f), 0);
    assert_int_equal(loop_run(&f->loop), 0);
    loop_remove(&f->loop, &f->timer);
    if (!is_so(f))
        fail_msg("no %s; logged: %s", wanted, logged);
}

static void a_console_that_comes_later_gets_its_getty(void **state) {
    struct fixture *f = *state;

    start(f, "console=ttyUSB0,9600", NULL, "");
    wait_for(f, "no login on ttyUSB0: there is no such device (yet)");
    assert_int_not_equal(access(f->started, F_OK), 0);
    plug(f, "ttyUSB0", true);
    wait_for(f, "-L ttyUSB0 9600 vt100\n");
    assert_non_null(strstr(logged, "a login on ttyUSB0"));
}

static void one_that_comes_without_a_sign_is_seen_later(void **state) {
    struct fixture *f = *state;

    f->again_ms = 50;
    start(f, "console=ttyUSB0", NULL, "");
    watch_stop(&f->lines.watch, &f->loop);
    plug(f, "ttyUSB0", true);
    wait_for(f, "-L ttyUSB0 115200 vt100\n");
}

static void a_getty_that_ends_is_started_again(void **state) {
    struct fixture *f = *state;

    plug(f, "hvc0", true);
    start(f, "console=hvc0", NULL, "");
    wait_for(f, "hvc0 115200 linux\n");
    assert_int_equal(kill(f->lines.v[0].child.pid, SIGKILL), 0);
    wait_for(f, "hvc0 115200 linux\nhvc0 115200 linux\n");
    assert_non_null(strstr(logged, "was killed by signal 9"));
    assert_non_null(strstr(logged, "that was the login on hvc0"));
}

static void one_that_is_unplugged_is_waited_for(void **state) {
    struct fixture *f = *state;

    plug(f, "ttyUSB0", true);
    start(f, "console=ttyUSB0", NULL, "");
    wait_for(f, "-L ttyUSB0 115200 vt100\n");
    plug(f, "ttyUSB0", false);
    assert_int_equal(kill(f->lines.v[0].child.pid, SIGHUP), 0); /* as the kernel does */
    wait_for(f, "no login on ttyUSB0 any more: there is no such device (yet)");
    assert_false(f->lines.v[0].child.wanted);
    plug(f, "ttyUSB0", true);
    wait_for(f, "-L ttyUSB0 115200 vt100\n-L ttyUSB0 115200 vt100\n");
}

static void notices_reach_the_console(void **state) {
    struct fixture *f = *state;

    plug(f, "hvc0", true);
    start(f, "console=hvc0", "tty1\n", "f:1: broken\n");
    wait_for(f, "-I rungetty: hvc0 is not in /etc/securetty: root cannot log in with a password here\\015\\012"
                "f:1: broken\\015\\012 hvc0 115200 linux\n");
    assert_non_null(strstr(logged, "hvc0 is not in /etc/securetty"));
}

static void hanging_up_ends_the_gettys(void **state) {
    struct fixture *f = *state;

    plug(f, "hvc0", true);
    start(f, "console=hvc0", NULL, "");
    wait_for(f, "hvc0 115200 linux\n");
    pid_t pid = f->lines.v[0].child.pid;
    lines_hang_up(&f->lines);
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGHUP);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_console_that_comes_later_gets_its_getty, set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_that_comes_without_a_sign_is_seen_later, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_getty_that_ends_is_started_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_that_is_unplugged_is_waited_for, set_up, tear_down),
        cmocka_unit_test_setup_teardown(notices_reach_the_console, set_up, tear_down),
        cmocka_unit_test_setup_teardown(hanging_up_ends_the_gettys, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
