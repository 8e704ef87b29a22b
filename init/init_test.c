/* SPDX-License-Identifier: Apache-2.0 */
/* PID 1's events against real children. What would end the machine that runs the test is caught. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/reboot.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "lib/spawn.h"

static int signalled[64]; /* what went to all processes */
static size_t signalled_len;

static int fake_kill(pid_t pid, int sig) {
    if (pid == -1 && signalled_len < sizeof(signalled) / sizeof(*signalled))
        signalled[signalled_len++] = sig;
    return 0;
}

static int spawn_error;   /* 0, or what spawn() fails with */
static int rebooted_with; /* by PID 1 itself */
static int synced;

static int fake_reboot(int action) {
    rebooted_with = action;
    if (!spawn_error)
        fail_msg("PID 1 itself called reboot(%d): should that return, the kernel panics", action);
    return -1;
}

/* Workers: the program that they are runs as /proc/self/exe. */
static char worker_started[32];

static int fake_spawn(const struct spawn *s, pid_t *pid, int *pidfd, struct err *e) {
    (void)pidfd;
    if (spawn_error)
        return err_errno(e, spawn_error, "could not run %s", s->argv[0]);
    (void)snprintf(worker_started, sizeof(worker_started), "%s", s->argv[0]);
    *pid = INT32_MAX;
    return 0;
}

static void fake_sync(void) {
    synced++;
}

#define sync fake_sync
#define spawn(s, pid, pidfd, e) fake_spawn(s, pid, pidfd, e)
#define kill fake_kill
#define reboot fake_reboot
#include "init/init.c" /* NOLINT(bugprone-suspicious-include): its static functions are what is tested */
#undef spawn
#undef sync
#undef kill
#undef reboot

static char dir[] = "/tmp/init_test.XXXXXX", marker[64];
static const char *const sleeper[] = {"/bin/sleep", "60", NULL};
static const struct machine_ops real = {enter, set_deadline, late};
static struct init in;

static int remove_all(void) {
    AUTO_NAMES struct names names = {0};

    if (list_dir(dir, &names, NULL) < 0)
        return -1;
    for (size_t i = 0; i < names.len; i++) {
        AUTO_FREE char *path = path_join(dir, names.v[i]);
        if (!path || unlink(path) < 0)
            return -1;
    }
    return 0;
}

static void script(const char *name, const char *body) {
    AUTO_FREE char *path = path_join(dir, name);
    char text[256];

    int n = snprintf(text, sizeof(text), "#!/bin/sh\n%s\n", body);
    assert_non_null(path);
    assert_int_equal(write_file_atomic(path, text, (size_t)n, 0755, false, NULL), 0);
}

static int begin(void **state) {
    (void)state;
    log_set_fd(-1);
    signalled_len = 0;
    spawn_error = rebooted_with = synced = 0;
    in = (struct init){.container = true, .machine = {STATE_RUNNING, &real, &in}};
    return loop_init(&in.loop);
}

static int finish(void **state) {
    (void)state;
    steps_abandon(&in.steps);
    (void)respawn_stop(&in.svcd, 0);
    if (in.svcd.pid > 0)
        (void)kill(in.svcd.pid, SIGKILL);
    while (waitpid(-1, NULL, 0) > 0)
        ;
    loop_remove(&in.loop, &in.deadline);
    loop_fini(&in.loop);
    log_set_fd(2);
    return remove_all();
}

static void ask(int sig) {
    const struct signalfd_siginfo info = {.ssi_signo = (uint32_t)sig};

    on_signal(NULL, &info, &in);
}

static void every_signal_leads_to_its_end(void **state) {
    static const int cases[][2] = {
        {SIGUSR1, (int)RB_HALT_SYSTEM}, {SIGUSR2, RB_POWER_OFF}, {SIGTERM, RB_AUTOBOOT}, {SIGINT, RB_AUTOBOOT}};
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        in.machine.state = STATE_RUNNING;
        signalled_len = 0;
        ask(cases[i][0]);
        assert_int_equal(in.action, cases[i][1]);
        assert_int_equal(in.machine.state, STATE_END); /* nothing was there to wait for */
        assert_int_equal(signalled_len, 2);
        assert_int_equal(signalled[0], SIGTERM);
        assert_int_equal(signalled[1], SIGCONT); /* else who is stopped would not hear it */
    }
}

static void the_machine_is_ended_by_a_worker(void **state) {
    (void)state;
    in.container = false;
    ask(SIGUSR2);
    assert_int_equal(in.machine.state, STATE_UNMOUNT);
    assert_string_equal(worker_started, WORKER_UNMOUNT);
    reaped(&in, INT32_MAX, 0);
    assert_int_equal(in.machine.state, STATE_END);
    assert_string_equal(worker_started, "init-poweroff");
    reaped(&in, INT32_MAX, 1 << 8); /* it came back: the machine is still there, and so is PID 1 */
    assert_int_equal(in.machine.state, STATE_END);
}

/* No memory, no processes: nothing is unmounted by a child then, but it is written, and the machine ends. */
static void it_ends_even_if_no_worker_can_be_started(void **state) {
    (void)state;
    in.container = false;
    spawn_error = -ENOMEM;
    ask(SIGUSR2);
    assert_int_equal(in.machine.state, STATE_END);
    assert_int_equal(synced, 1);
    assert_int_equal(rebooted_with, RB_POWER_OFF);
}

static void the_services_may_ask_for_more_time(void **state) {
    static const struct {
        const char *text;
        unsigned ms;
    } cases[] = {{"90\n", 92000}, {"5\n", 25000},      {"", 25000},        {"soon\n", 25000},
                 {"-1\n", 25000}, {"3600\n", 3602000}, {"9999\n", 3602000}};
    AUTO_FREE char *path = path_join(dir, "stop-seconds");
    (void)state;
    assert_non_null(path);
    assert_int_equal(services_deadline(path, 25000), 25000);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        assert_int_equal(write_file_atomic(path, cases[i].text, strlen(cases[i].text), 0644, false, NULL), 0);
        assert_int_equal(services_deadline(path, 25000), cases[i].ms);
    }
}

static void the_boot_goes_on_without_a_worker(void **state) {
    (void)state;
    spawn_error = -EAGAIN;
    in.container = false;
    in.cmdline.rescue = true;
    assert_false(enter_devices(&in));
    assert_false(start_rescue(&in));
    assert_int_equal(in.worker, 0);
    assert_int_equal(in.rescue, 0);
    in.worker = 0;
    loop_remove(&in.loop, &in.hotplug.source);
}

static void the_first_signal_decides(void **state) {
    (void)state;
    respawn_start(&in.svcd, &in.loop, sleeper);
    ask(SIGUSR2);
    assert_int_equal(in.machine.state, STATE_SERVICES);
    ask(SIGTERM);
    assert_int_equal(in.action, RB_POWER_OFF);
    ask(SIGHUP);
    assert_int_equal(in.machine.state, STATE_SERVICES);
}

/* A signal is taken also when there is no loop to bring it. */
static void signals_are_answered_without_the_loop(void **state) {
    const sigset_t set = our_signals();
    sigset_t old;
    (void)state;
    assert_int_equal(sigprocmask(SIG_BLOCK, &set, &old), 0);
    assert_int_equal(raise(SIGUSR2), 0);
    wait_for_a_signal(&in);
    assert_int_equal(sigprocmask(SIG_SETMASK, &old, NULL), 0);
    assert_int_equal(in.action, RB_POWER_OFF);
    assert_int_equal(in.machine.state, STATE_END);
}

static void the_services_are_waited_for(void **state) {
    (void)state;
    respawn_start(&in.svcd, &in.loop, sleeper);
    pid_t svcd = in.svcd.pid;
    ask(SIGUSR2);
    assert_int_equal(in.machine.state, STATE_SERVICES);
    assert_int_equal(signalled_len, 0);
    assert_int_equal(waitpid(svcd, NULL, 0), svcd); /* the stop was real: respawn.c sent it */
    reaped(&in, svcd, 0);
    assert_int_equal(in.machine.state, STATE_END);
}

static void a_supervisor_that_is_killed_while_it_stops_them_is_followed_by_another(void **state) {
    int status;
    (void)state;
    respawn_start(&in.svcd, &in.loop, sleeper);
    pid_t svcd = in.svcd.pid;
    ask(SIGUSR2);
    (void)kill(svcd, SIGKILL);
    assert_int_equal(waitpid(svcd, &status, 0), svcd);
    reaped(&in, svcd, SIGKILL);
    assert_int_equal(in.machine.state, STATE_SERVICES);
    assert_true(in.svcd.pid > 0 && in.svcd.pid != svcd);
    svcd = in.svcd.pid;
    (void)kill(svcd, SIGKILL);
    assert_int_equal(waitpid(svcd, &status, 0), svcd);
    reaped(&in, svcd, 0); /* this one has done what it was to do */
    assert_int_equal(in.svcd.pid, 0);
    assert_int_equal(in.machine.state, STATE_END);
}

/* A hook of the shutdown that took too long, and ends while the services stop, must not cut their time short. */
static void a_late_hook_does_not_end_the_stop_of_the_services(void **state) {
    int status;
    (void)state;
    script("10-hangs", "exec sleep 60");
    (void)snprintf(marker, sizeof(marker), "touch %s/marker", dir);
    script("20-next", marker);
    in.machine.state = STATE_HOOKS;
    assert_true(steps_begin(&in.steps, dir, "shutdown.d"));
    respawn_start(&in.svcd, &in.loop, sleeper);
    pid_t hook = in.steps.pid;
    machine_event(&in.machine, EVENT_TIMEOUT);
    assert_int_equal(in.machine.state, STATE_SERVICES);
    (void)kill(hook, SIGTERM);
    assert_int_equal(waitpid(hook, &status, 0), hook);
    reaped(&in, hook, status);
    assert_int_equal(in.steps.pid, 0); /* and the next one is not begun */
    assert_int_equal(in.machine.state, STATE_SERVICES);
    assert_int_equal(signalled_len, 0);
}

static void a_failed_step_is_followed_by_the_next(void **state) {
    int status;
    (void)state;
    script("10-fails", "exit 3");
    script("20-works", "exit 0");
    in.machine.state = STATE_INITD;
    assert_true(steps_begin(&in.steps, dir, "init.d"));
    for (int i = 0; i < 2; i++) {
        pid_t step = in.steps.pid;
        assert_int_equal(in.machine.state, STATE_INITD);
        assert_int_equal(waitpid(step, &status, 0), step);
        reaped(&in, step, status);
    }
    assert_int_equal(in.machine.state, STATE_RUNNING);
}

static int make_dir(void **state) {
    (void)state;
    return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state) {
    (void)state;
    return rmdir(dir);
}

#define T(name) cmocka_unit_test_setup_teardown(name, begin, finish)

int main(void) {
    const struct CMUnitTest tests[] = {
        T(every_signal_leads_to_its_end),
        T(the_machine_is_ended_by_a_worker),
        T(it_ends_even_if_no_worker_can_be_started),
        T(the_services_may_ask_for_more_time),
        T(the_boot_goes_on_without_a_worker),
        T(the_first_signal_decides),
        T(signals_are_answered_without_the_loop),
        T(the_services_are_waited_for),
        T(a_supervisor_that_is_killed_while_it_stops_them_is_followed_by_another),
        T(a_late_hook_does_not_end_the_stop_of_the_services),
        T(a_failed_step_is_followed_by_the_next),
    };
    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
