/* SPDX-License-Identifier: Apache-2.0 */
/* Children of ours: one that stands for a shim, and its child for a service's process. */
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "svcd/acts.h"
#include "svcd/group_test.h"

#undef CGROUP_ROOT
#define CGROUP_ROOT group_root /* files that look like the kernel's */
static char group_root[] = "/tmp/process_test.XXXXXX";

#include "svcd/process.c" /* NOLINT(bugprone-suspicious-include): its static functions are what is tested */

static struct loop loop;
static struct grpc *connection;
static struct service s;
static pid_t shim;
static int process; /* a descriptor of it, the test's own */
static int doubts;
static enum life last_entered;
static bool apart; /* the process is the first of a pid namespace */

static void fake_enter(struct service *service, enum life l) {
    (void)service;
    last_entered = l;
}

static void changed(struct service *service, void *data) {
    (void)service;
    (void)data;
    loop_stop(&loop);
}

static void doubt(struct service *service, void *data) {
    (void)service;
    (void)data;
    doubts++;
}

static void set_timer(struct service *service, enum service_timer t, uint64_t ms) {
    (void)service;
    (void)t;
    (void)ms;
}

static void stop_probe(struct service *service) {
    (void)service;
}

static const struct service_ops fake = {
    .enter = fake_enter, .stop_probe = stop_probe, .now_ms = clock_ms, .set_timer = set_timer};

/* It reaps nobody until it is told to end. */
static _Noreturn void be_shim(const char *name, int to_parent) {
    pid_t pid;

    (void)prctl(PR_SET_NAME, name);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    pid = apart ? fork_apart() : fork();
    if (pid == 0)
        for (;;)
            (void)pause();
    (void)write_full(to_parent, &pid, sizeof(pid));
    for (;;)
        (void)pause();
}

static void begin_with(const char *name) {
    struct err e = {0};
    pid_t pid;
    int fds[2];

    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    shim = fork();
    if (shim == 0)
        be_shim(name, fds[1]);
    assert_int_equal(read_full(fds[0], &pid, sizeof(pid)), sizeof(pid));
    (void)close(fds[0]);
    (void)close(fds[1]);
    assert_int_equal(loop_init(&loop), 0);
    assert_int_equal(service_init(&s, "/x", "www", &loop, &connection, changed, NULL, &e), 0);
    s.ops = &fake;
    s.doubt = doubt;
    process = (int)syscall(SYS_pidfd_open, pid, 0U);
    assert_true(process >= 0);
    s.pid = (uint32_t)pid;
    s.alive = true;
    s.life = LIFE_RUNNING;
    process_watch(&s);
    doubts = 0;
}

static int begin(void **state) {
    (void)state;
    log_set_fd(-1);
    return 0;
}

static int finish(void **state) {
    (void)state;
    (void)send_signal(process, SIGKILL);
    (void)close(process);
    (void)kill(shim, SIGKILL);
    (void)waitpid(shim, NULL, 0);
    service_fini(&s);
    loop_fini(&loop);
    log_set_fd(2);
    return 0;
}

/* Its group is that of this test, which must live. */
static void forget_group(void) {
    free(s.cgroup);
    s.cgroup = NULL;
}

static void until_gone(void) {
    struct pollfd p = {.fd = s.pidfd, .events = POLLIN};

    assert_int_equal(poll(&p, 1, 60000), 1);
}

static bool shim_is_dead(void) {
    return waitpid(shim, NULL, WNOHANG) == shim;
}

static void the_stop_signal_goes_to_the_process_itself(void **state) {
    (void)state;
    begin_with(SHIM_COMM);
    forget_group();
    assert_int_equal(process_stop(&s), 0);
    until_gone();
    assert_int_equal(process_stop(&s), 0); /* nothing is wrong: its end will be told */
    process_forget(&s);
    assert_int_equal(process_stop(&s), -ESRCH);
}

static void without_a_group_the_first_process_is_killed(void **state) {
    (void)state;
    begin_with(SHIM_COMM);
    forget_group();
    assert_true(process_kill(&s) < 0); /* that may not be all of it */
    until_gone();
}

static void a_number_is_its_own_by_its_group(void **state) {
    (void)state;
    begin_with(SHIM_COMM);
    assert_true(process_is_there(&s));
    forget_group();
    assert_false(process_is_there(&s));
    s.cgroup = strdup("/another");
    assert_false(process_is_there(&s));
}

static void groups_below_its_own_are_its_own(void **state) {
    (void)state;
    assert_true(is_within("/www", "/www"));
    assert_true(is_within("/www/below", "/www"));
    assert_false(is_within("/www2", "/www"));
    assert_false(is_within("/", "/www"));
}

static void the_next_svcd_watches_it_by_its_group(void **state) {
    (void)state;
    begin_with(SHIM_COMM);
    process_forget(&s);
    assert_true(process_is_gone(&s));
    assert_int_equal(process_watch_again(&s), 0);
    assert_false(process_is_gone(&s));
    process_forget(&s);
    forget_group();
    assert_int_equal(process_watch_again(&s), -ESRCH);
    assert_int_equal(s.pidfd, -1);
}

/* Which it may leave for another's: that one is not killed for it, and it is killed all the same. */
static void its_group_is_the_one_that_it_was_given(void **state) {
    (void)state;
    begin_with(SHIM_COMM);
    forget_group();
    s.cgroup = strdup("/given");
    process_watch(&s);
    assert_string_equal(s.cgroup, "/given");
    (void)process_kill(&s);
    until_gone();
}

static int command_end; /* of a pipe that all of it holds */

static pid_t begin_command(bool leads) {
    int fds[2];

    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    pid_t command = fork();
    if (command == 0) {
        if (leads)
            (void)setsid();
        if (fork() == 0) { /* holds the pipe, too */
            if (!leads)
                (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
            for (;;)
                (void)pause();
        }
        (void)write_full(fds[1], "x", 1);
        for (;;)
            (void)pause();
    }
    (void)close(fds[1]);
    assert_int_equal(read_full(fds[0], &(char){0}, 1), 1);
    command_end = fds[0];
    return command;
}

static void a_command_is_killed_with_what_it_has_started(void **state) {
    (void)state;
    begin_with(SHIM_COMM);
    pid_t command = begin_command(true);
    process_kill_led_by(&s, command);
    assert_int_equal(waitpid(command, NULL, 0), command);
    struct pollfd p = {.fd = command_end}; /* for the child to have it no more */
    assert_int_equal(poll(&p, 1, 60000), 1);
    (void)close(command_end);
}

static void what_may_be_anothers_is_not_killed(void **state) {
    (void)state;
    begin_with(SHIM_COMM);
    pid_t command = begin_command(false); /* in our process group */
    process_kill_led_by(&s, command);
    process_kill_led_by(&s, 0);
    pid_t leader = begin_command(true);
    forget_group();
    process_kill_led_by(&s, leader);
    s.cgroup = strdup("/another");
    process_kill_led_by(&s, leader);
    assert_int_equal(waitpid(command, NULL, WNOHANG), 0);
    assert_int_equal(waitpid(leader, NULL, WNOHANG), 0);
    (void)kill(command, SIGKILL);
    (void)kill(-leader, SIGKILL);
    assert_int_equal(waitpid(command, NULL, 0), command);
    assert_int_equal(waitpid(leader, NULL, 0), leader);
}

/* Nobody else tells of its end then. */
static void without_containerd_its_end_is_seen(void **state) {
    (void)state;
    begin_with(SHIM_COMM);
    forget_group();
    s.life = LIFE_LONE_STOPPING;
    assert_int_equal(process_stop(&s), 0);
    assert_int_equal(loop_run(&loop), 0);
    assert_int_equal(s.life, LIFE_LONE_DOWN);
}

/* A stop was under way when svcd was told to end: containerd, which may be frozen, is not waited for. */
static void at_svcds_end_its_end_is_enough(void **state) {
    (void)state;
    begin_with(SHIM_COMM);
    forget_group();
    s.life = LIFE_STOPPING;
    s.told = true;
    assert_int_equal(process_stop(&s), 0);
    assert_int_equal(loop_run(&loop), 0);
    assert_int_equal(s.life, LIFE_LONE_STOPPING);
    assert_int_equal(last_entered, LIFE_LONE_STOPPING); /* which sees that it is gone */
}

static void nor_when_its_grace_was_over(void **state) {
    (void)state;
    begin_with(SHIM_COMM);
    forget_group();
    s.life = LIFE_KILLING;
    s.told = true;
    (void)process_kill(&s);
    assert_int_equal(loop_run(&loop), 0);
    assert_int_equal(s.life, LIFE_LONE_KILLING);
}

static void one_that_was_gone_before_svcds_end_is_left(void **state) {
    (void)state;
    begin_with(SHIM_COMM);
    forget_group();
    s.life = LIFE_STOPPING;
    (void)process_kill(&s);
    until_gone();
    on_gone(&s.gone, EPOLLIN, &s);
    assert_int_equal(s.life, LIFE_STOPPING);
    service_leave(&s);
    assert_int_equal(s.life, LIFE_LONE_STOPPING);
}

static void a_shim_that_does_not_reap_is_killed_and_the_stop_goes_on(void **state) {
    (void)state;
    begin_with(SHIM_COMM);
    forget_group();
    s.life = LIFE_STOPPING;
    on_overdue(NULL, &s);
    assert_false(process_free(&s)); /* it lives */
    assert_false(shim_is_dead());
    assert_int_equal(doubts, 1);
    (void)process_kill(&s);
    until_gone();
    on_overdue(NULL, &s);
    assert_int_equal(waitpid(shim, NULL, 0), shim);
    assert_int_equal(doubts, 1); /* containerd is not to blame */
    assert_int_equal(s.life, LIFE_CLEAN_TASK);
}

/* Where it should run, its policy goes on from what containerd says of the task. */
static void a_running_ones_shim_is_killed_and_containerd_tells(void **state) {
    (void)state;
    begin_with(SHIM_COMM);
    forget_group();
    (void)process_kill(&s);
    until_gone();
    on_overdue(NULL, &s);
    assert_int_equal(waitpid(shim, NULL, 0), shim);
    assert_int_equal(doubts, 0); /* containerd is not to blame */
    assert_int_equal(s.life, LIFE_RUNNING);
}

static void a_parent_that_is_no_shim_is_left_alone(void **state) {
    (void)state;
    begin_with("somebody");
    forget_group();
    (void)process_kill(&s);
    until_gone();
    assert_false(process_free(&s));
    assert_false(shim_is_dead());
}

/* --- a group with another container in it --- */

static void put(const char *file, const char *text) {
    put_file(group_root, file, text);
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *where) {
    (void)st;
    (void)type;
    return where->level > 0 ? remove(path) : 0;
}

static pid_t other; /* that of the other container */

static int begin_shared(bool is_apart, bool v2) {
    char text[32];

    apart = is_apart;
    begin_with(SHIM_COMM);
    apart = false;
    other = fork();
    if (other == 0)
        for (;;)
            (void)pause();
    (void)snprintf(text, sizeof(text), "%u\n%d\n", s.pid, other);
    put(v2 ? "shared/cgroup.procs" : "memory/shared/cgroup.procs", text);
    if (v2)
        put("cgroup.controllers", "cpu\n");
    free(s.cgroup);
    s.cgroup = strdup("/shared");
    return s.cgroup ? 0 : -ENOMEM;
}

static void assert_other_lives(void) {
    assert_int_equal(waitpid(other, NULL, WNOHANG), 0);
}

static int finish_shared(void **state) {
    if (other > 0) {
        (void)kill(other, SIGKILL);
        (void)waitpid(other, NULL, 0);
    }
    other = 0;
    (void)nftw(group_root, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
    return finish(state);
}

/* Else such a process cannot be had on this machine. */
static bool can_be_apart(void) {
    pid_t pid = fork_apart();

    if (pid == 0)
        _exit(0);
    return pid > 0 && waitpid(pid, NULL, 0) == pid;
}

static void with_pids_of_its_own_it_is_killed_alone(void **state) {
    (void)state;
    bool is_apart = can_be_apart();
    assert_int_equal(begin_shared(is_apart, true), 0);
    assert_int_equal(s.own_pids, is_apart);
    s.own_pids = true;
    assert_int_equal(process_kill(&s), 0);
    until_gone();
    assert_other_lives();
    assert_int_equal(waitpid(shim, NULL, WNOHANG), 0);
    process_forget(&s);
    assert_int_equal(process_kill(&s), -ESRCH); /* nothing is left of it; its group is not for that */
    assert_other_lives();
}

static void the_next_svcd_knows_it_too(void **state) {
    (void)state;
    bool is_apart = can_be_apart();
    assert_int_equal(begin_shared(is_apart, true), 0);
    process_forget(&s);
    s.own_pids = false;
    free(s.cgroup);
    s.cgroup = cgroup_of("/proc", (pid_t)s.pid);
    assert_int_equal(process_watch_again(&s), 0);
    assert_int_equal(s.own_pids, is_apart);
}

/* One that is paused goes on only when the runtime wakes it. */
static void under_version_1_the_runtime_has_its_part(void **state) {
    (void)state;
    assert_int_equal(begin_shared(can_be_apart(), false), 0);
    s.own_pids = true;
    assert_int_equal(process_kill(&s), -ENOTSUP);
    until_gone();
    assert_other_lives();
}

/* Its children may have left it, and are found by the group alone. */
static void with_the_hosts_pids_its_group_is_killed(void **state) {
    int status;
    (void)state;
    assert_int_equal(begin_shared(false, true), 0);
    assert_false(s.own_pids);
    assert_int_equal(process_kill(&s), -ENOTSUP); /* nor is there a cgroup.kill */
    until_gone();
    assert_int_equal(waitpid(other, &status, 0), other);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    other = 0;
}

/* The other container is not who could end in its place. */
static void one_that_is_deaf_and_alone_in_its_container_is_killed(void **state) {
    (void)state;
    bool is_apart = can_be_apart();
    assert_int_equal(begin_shared(is_apart, true), 0);
    assert_int_equal(signal_is_dropped("/proc", (pid_t)s.pid, SIGTERM), is_apart);
    assert_int_equal(process_stop(&s), 0);
    until_gone();
    assert_other_lives();
}

#define SHARED(name) cmocka_unit_test_setup_teardown(name, begin, finish_shared)
#define T(name) cmocka_unit_test_setup_teardown(name, begin, finish)

static int make_root(void **state) {
    (void)state;
    return mkdtemp(group_root) ? 0 : -1;
}

static int remove_root(void **state) {
    (void)state;
    return rmdir(group_root);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        T(the_stop_signal_goes_to_the_process_itself),
        T(without_a_group_the_first_process_is_killed),
        T(a_number_is_its_own_by_its_group),
        T(groups_below_its_own_are_its_own),
        T(the_next_svcd_watches_it_by_its_group),
        T(its_group_is_the_one_that_it_was_given),
        T(a_command_is_killed_with_what_it_has_started),
        T(what_may_be_anothers_is_not_killed),
        T(without_containerd_its_end_is_seen),
        T(at_svcds_end_its_end_is_enough),
        T(nor_when_its_grace_was_over),
        T(one_that_was_gone_before_svcds_end_is_left),
        T(a_shim_that_does_not_reap_is_killed_and_the_stop_goes_on),
        T(a_running_ones_shim_is_killed_and_containerd_tells),
        T(a_parent_that_is_no_shim_is_left_alone),
        SHARED(with_pids_of_its_own_it_is_killed_alone),
        SHARED(the_next_svcd_knows_it_too),
        SHARED(under_version_1_the_runtime_has_its_part),
        SHARED(with_the_hosts_pids_its_group_is_killed),
        SHARED(one_that_is_deaf_and_alone_in_its_container_is_killed),
    };
    return cmocka_run_group_tests(tests, make_root, remove_root);
}
