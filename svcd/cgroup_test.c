/* SPDX-License-Identifier: Apache-2.0 */
/* Against files that look like the kernel's. */
#include "svcd/cgroup.h"

#include <errno.h>
#include <ftw.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "lib/fdutil.h"
#include "svcd/group_test.h"

static char dir[] = "/tmp/cgroup_test.XXXXXX";

static void put(const char *path, const char *text) {
    put_file(dir, path, text);
}

static char *proc(const char *text) {
    AUTO_FREE char *root = path_join(dir, "proc");

    put("proc/7/cgroup", text);
    return cgroup_of(root, 7);
}

static void the_group_of_a_process(void **state) {
    (void)state;
    AUTO_FREE char *v2 = proc("0::/services.linuxkit/www\n");
    assert_string_equal(v2, "/services.linuxkit/www");
    AUTO_FREE char *v1 = proc("9:cpu,cpuacct:/x\n4:memory:/www\n1:name=systemd:/y\n0::/\n");
    assert_string_equal(v1, "/www");
    AUTO_FREE char *none = proc("what is this\n");
    assert_null(none);
    AUTO_FREE char *root = path_join(dir, "proc");
    assert_null(cgroup_of(root, 8));
}

static void version_2(void **state) {
    struct cgroup_usage u;
    (void)state;
    put("v2/cgroup.controllers", "cpu memory pids\n");
    put("v2/www/memory.current", "1048576\n");
    put("v2/www/memory.max", "max\n");
    put("v2/www/memory.events", "low 0\nhigh 0\nmax 5\noom 3\noom_kill 2\noom_group_kill 0\n");
    put("v2/www/cpu.stat", "usage_usec 1234567\nuser_usec 1\n");
    put("v2/www/pids.current", "3\n");
    put("v2/www/pids.max", "100\n");
    AUTO_FREE char *root = path_join(dir, "v2");
    cgroup_read(root, "/www", &u);
    assert_int_equal(u.memory, 1048576);
    assert_true(u.memory_max == CGROUP_NO_LIMIT);
    assert_true(u.memory_peak == CGROUP_UNKNOWN); /* an older kernel does not say */
    assert_int_equal(u.cpu_us, 1234567);
    assert_int_equal(u.pids, 3);
    assert_int_equal(u.pids_max, 100);
    assert_int_equal(u.oom_kills, 2);
    assert_int_equal(cgroup_oom_kills(root, "/nosuch"), 0);
}

static void version_1(void **state) {
    struct cgroup_usage u;
    (void)state;
    put("v1/memory/www/memory.usage_in_bytes", "4096\n");
    put("v1/memory/www/memory.limit_in_bytes", "9223372036854771712\n");
    put("v1/memory/www/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n");
    put("v1/cpuacct/www/cpuacct.usage", "5000000\n");
    AUTO_FREE char *root = path_join(dir, "v1");
    cgroup_read(root, "/www", &u);
    assert_int_equal(u.memory, 4096);
    assert_true(u.memory_max == CGROUP_NO_LIMIT);
    assert_int_equal(u.cpu_us, 5000);
    assert_true(u.pids == CGROUP_UNKNOWN);
    assert_int_equal(u.oom_kills, 1);
}

static void a_process_is_put_into_a_group_of_version_2(void **state) {
    AUTO_BUF struct buf text = BUF_INIT;
    AUTO_FREE char *v2 = path_join(dir, "v2b"), *v1 = path_join(dir, "v1");
    struct err e = {0};
    (void)state;
    put("v2b/cgroup.controllers", "cpu\n");
    put("v2b/daemon/cgroup.procs", ""); /* the kernel's; it is there as soon as the group is */
    assert_int_equal(cgroup_enter(v2, "daemon", 4711, &e), 0);
    AUTO_FREE char *procs = path_join(v2, "daemon/cgroup.procs");
    assert_int_equal(read_file(procs, 64, &text, NULL), 0);
    assert_string_equal(text.data, "4711");
    assert_true(cgroup_enter(v2, "other", 4711, &e) < 0); /* made, but it is no group of the kernel's */
    assert_int_equal(cgroup_enter(v1, "daemon", 4711, &e), -ENOTSUP);
}

static pid_t child_of(pid_t pid, const char *procs) {
    char text[24];

    if (pid == 0)
        for (;;)
            (void)pause();
    (void)snprintf(text, sizeof(text), "%d\n", pid);
    put(procs, text);
    return pid;
}

static pid_t child(const char *procs) {
    return child_of(fork(), procs);
}

static void assert_ended_by(pid_t pid, int signo) {
    int status;

    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == signo);
}

static void those_beside_a_process_get_a_signal(void **state) {
    AUTO_FREE char *v1 = path_join(dir, "v1s"), *v2 = path_join(dir, "v2s");
    (void)state;
    put("v2s/cgroup.controllers", "cpu\n");
    for (int version = 1; version <= 2; version++) {
        pid_t one = child(version == 1 ? "v1s/memory/www/cgroup.procs" : "v2s/www/cgroup.procs");
        pid_t two = child(version == 1 ? "v1s/memory/www/a/b/cgroup.procs" : "v2s/www/a/b/cgroup.procs");
        const char *root = version == 1 ? v1 : v2;
        pid_t first = child(version == 1 ? "v1s/memory/www/a/cgroup.procs" : "v2s/www/a/cgroup.procs");
        assert_int_equal(cgroup_signal_beside(root, "/www", first, SIGUSR1), 2);
        assert_ended_by(one, SIGUSR1);
        assert_ended_by(two, SIGUSR1);
        assert_int_equal(kill(first, SIGUSR2), 0); /* the first it gets */
        assert_ended_by(first, SIGUSR2);
        assert_true(cgroup_signal_beside(root, "/nosuch", getpid(), SIGUSR1) < 0);
        assert_int_equal(cgroup_signal_beside(root, "/www", first, SIGUSR1), -ENOENT);
    }
}

/* One group may have two containers in it. */
static void who_has_another_pid_namespace_gets_none(void **state) {
    AUTO_FREE char *root = path_join(dir, "v2n");
    (void)state;
    put("v2n/cgroup.controllers", "cpu\n");
    pid_t same = child("v2n/www/cgroup.procs");
    pid_t first = fork_apart();
    if (first >= 0)
        (void)child_of(first, "v2n/www/a/cgroup.procs");
    assert_int_equal(cgroup_signal_beside(root, "/www", getpid(), SIGKILL), 1);
    assert_ended_by(same, SIGKILL);
    if (first < 0)
        return; /* the machine allows no pid namespaces */
    same = child("v2n/www/cgroup.procs");
    assert_int_equal(cgroup_signal_beside(root, "/www", first, SIGKILL), 0); /* it is alone in its own */
    for (const pid_t *p = (const pid_t[]){same, first, 0}; *p; p++) {
        assert_int_equal(waitpid(*p, NULL, WNOHANG), 0);
        assert_int_equal(kill(*p, SIGKILL), 0);
        assert_ended_by(*p, SIGKILL);
    }
}

static void all_are_killed_at_once_where_the_kernel_can_do_that(void **state) {
    AUTO_BUF struct buf text = BUF_INIT;
    AUTO_FREE char *old = path_join(dir, "v1k"), *new = path_join(dir, "v2k");
    (void)state;
    put("v2k/cgroup.controllers", "cpu\n");
    put("v2k/www/cgroup.kill", "");
    put("v2k/www/cgroup.procs", "1\n");
    assert_int_equal(cgroup_kill(new, "/www"), 0);
    AUTO_FREE char *knob = path_join(new, "www/cgroup.kill");
    assert_int_equal(read_file(knob, 64, &text, NULL), 0);
    assert_string_equal(text.data, "1");
    pid_t pid = child("v1k/memory/www/cgroup.procs");
    assert_int_equal(cgroup_kill(old, "/www"), -ENOTSUP);
    assert_ended_by(pid, SIGKILL);
}

/* Whoever is in the root's group has none of its own. */
static void the_root_is_not_killed(void **state) {
    static const char *const paths[] = {"", "/", "//", "/../..", "/www/../.."};
    AUTO_FREE char *root = path_join(dir, "v2r");
    (void)state;
    put("v2r/cgroup.controllers", "cpu\n");
    pid_t pid = child("v2r/cgroup.procs");
    for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
        assert_int_equal(cgroup_kill(root, paths[i]), -EINVAL);
        assert_int_equal(cgroup_signal_beside(root, paths[i], getpid(), SIGKILL), -EINVAL);
    }
    assert_int_equal(kill(pid, SIGUSR1), 0);
    assert_ended_by(pid, SIGUSR1);
}

static int make_dir(void **state) {
    (void)state;
    return mkdtemp(dir) ? 0 : -1;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *where) {
    (void)st;
    (void)type;
    (void)where;
    return remove(path);
}

static int remove_dir(void **state) {
    (void)state;
    return nftw(dir, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_group_of_a_process),
        cmocka_unit_test(version_2),
        cmocka_unit_test(version_1),
        cmocka_unit_test(a_process_is_put_into_a_group_of_version_2),
        cmocka_unit_test(those_beside_a_process_get_a_signal),
        cmocka_unit_test(who_has_another_pid_namespace_gets_none),
        cmocka_unit_test(all_are_killed_at_once_where_the_kernel_can_do_that),
        cmocka_unit_test(the_root_is_not_killed),
    };
    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
