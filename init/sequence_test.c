/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The whole boot, the life and the whole shutdown on a made-up system. Whatever single call of them fails: all that
 * does not depend on it is done, the failure is said in one line, and the machine ends as it was asked to.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "init/init.c" /* NOLINT(bugprone-suspicious-include): its static functions are what is tested */

#include "init/fake_system.h"

#define CMDLINE "console=ttyS0 console=ttyS1 keelson.rescue=1 keelson.watchdog=30"
#define COMMON_FILES                                                                                                   \
    {"/dev/console", "", NULL}, {"/dev/ttyS0", "", NULL}, {"/dev/ttyS1", "", NULL}, {"/dev/rtc0", "", NULL},           \
        {"/dev/watchdog", "", NULL}, {"/dev/input", NULL, "event0 mice "}, {"/etc/issue", "Welcome\n", NULL},          \
        {"/etc/init.d", NULL, "20-b 10-a "}, {"/etc/shutdown.d", NULL, "10-s "}, {"/usr/bin/memlogd", "", NULL},       \
        {"/usr/bin/svcd", "", NULL}, {"/sys/fs/pstore", NULL, "dmesg-1 "},                                             \
        {"/proc/meminfo", "MemTotal: 1000 kB\nMemAvailable: 500 kB\n", NULL},                                          \
        {"/sys/class/watchdog/watchdog0/bootstatus", "32\n", NULL}, {                                                  \
        "/run/keelson/stop-seconds", "40\n", NULL                                                                      \
    }

static const struct fake_file files[] = {
    COMMON_FILES, {"/proc/cmdline", CMDLINE "\n", NULL}, {"/etc/hostname", "box\n", NULL}, {NULL, NULL, NULL}};
static const struct fake_file files_v1[] = {
    COMMON_FILES,
    {"/proc/cmdline", CMDLINE " linuxkit.unified_cgroup_hierarchy=0\n", NULL},
    {"/proc/cgroups", "#subsys_name\thierarchy\tnum_cgroups\tenabled\ncpu\t0\t1\t1\nmemory\t0\t1\t0\n", NULL},
    {"/sys/class/net/eth0/address", "02:00:00:00:00:01\n", NULL},
    {NULL, NULL, NULL}};
static const struct fake_file files_container[] = {
    COMMON_FILES, {"/proc/cmdline", CMDLINE "\n", NULL}, {"/proc/self", NULL, ""}, {NULL, NULL, NULL}};

static struct init in;

/* --- the driver: what is waited for has done its work --- */

static void end_child(pid_t pid, int status) {
    fake_end_child(pid, status);
    take_signal(&in, SIGCHLD, SI_KERNEL);
}

static pid_t awaited(void) {
    switch (in.machine.state) {
    case STATE_SERVICES:
        return in.svcd.pid;
    case STATE_TERM:
    case STATE_KILL:
        return in.memlogd.pid;
    case STATE_END:
        return 0;
    default:
        return in.worker > 0 ? in.worker : in.rescue > 0 ? in.rescue : in.steps.pid;
    }
}

static void settle(void) {
    for (pid_t pid; (pid = awaited()) > 0;)
        end_child(pid, 0);
}

static void fire(struct loop_source *timer) {
    loop_timer_fn *fn = timer->cb.timer_fn;

    loop_remove(&in.loop, timer);
    fn(timer, timer->data);
}

static void boot(void) {
    in = (struct init){0};
    log_init("init", LOG_LEVEL_NOTICE);
    log_set_fd(STDERR_FILENO);
    log_set_sink(NULL);
    start_up(&in);
    settle();
}

/* What happens on a machine that runs: a device comes, both daemons die and are started again, the machine is up and
 * has its record, the watchdog is fed. */
static void live(void) {
    if (!in.container)
        on_hotplug(&in);
    if (loop_has(&in.settle))
        fire(&in.settle);
    settle();
    for (struct respawn *const *d = (struct respawn *const[]){&in.memlogd, &in.svcd, NULL}; *d; d++) {
        if ((*d)->pid > 0)
            end_child((*d)->pid, SIGKILL);
        if (loop_has(&(*d)->timer))
            fire(&(*d)->timer);
    }
    recorder_up(&in.recorder);
    if (in.recorder.pid > 0)
        end_child(in.recorder.pid, 0);
    if (loop_has(&in.watchdog.timer))
        fire(&in.watchdog.timer);
}

static void run_whole(void) {
    boot();
    live();
    take_signal(&in, SIGUSR2, SI_USER);
    settle();
    fake_off();
}

static void run(const struct fake_file *world, size_t failing, int error) {
    fake_on(world, failing, error);
    run_whole();
}

/* --- what is the contract's --- */

static const char *const contract[] = {
    "mount / /dev bind",
    "mount . / move",
    "mount proc /proc nodev,nosuid,noexec,relatime",
    "mount - / remount,bind,ro",
    "mount tmpfs /run nodev,nosuid,noexec,relatime size=10%,mode=755",
    "mount tmpfs /tmp nodev,nosuid,noexec,relatime size=10%,mode=1777",
    "mount tmpfs /var nodev,nosuid,noexec,relatime size=50%,mode=755",
    "mount devtmpfs /dev nosuid,noexec,relatime size=10m,nr_inodes=248418,mode=755",
    "mount mqueue /dev/mqueue nodev,nosuid,noexec",
    "mount tmpfs /dev/shm nodev,nosuid,noexec mode=1777",
    "mount devpts /dev/pts nosuid,noexec gid=5,mode=0620",
    "mount sysfs /sys nodev,nosuid,noexec",
    "mount securityfs /sys/kernel/security nodev,nosuid,noexec",
    "mount debugfs /sys/kernel/debug nodev,nosuid,noexec",
    "mount configfs /sys/kernel/config nodev,nosuid,noexec",
    "mount fusectl /sys/fs/fuse/connections nodev,nosuid,noexec",
    "mount selinuxfs /sys/fs/selinux nosuid,noexec",
    "mount pstore /sys/fs/pstore nodev,nosuid,noexec",
    "mount bpf /sys/fs/bpf nodev,nosuid,noexec",
    "mount efivarfs /sys/firmware/efi/efivars nodev,nosuid,noexec",
    "mount binfmt_misc /proc/sys/fs/binfmt_misc nodev,nosuid,noexec",
    "mount cgroup2 /sys/fs/cgroup nodev,nosuid,noexec",
    "mknod /dev/null 20666 1:3",
    "symlink /run /var/run",
    "mount - / shared,rec",
    "spawn init-coldplug",
    "settimeofday 1767225600",
    "ioctl inet SIOCSIFADDR",
    "setrlimit NOFILE 1048576",
    "setrlimit NPROC -1",
    "sethostname box",
    "open /etc/resolv.conf",
    "spawn /bin/sh",
    "spawn /usr/bin/memlogd",
    "spawn /usr/bin/svcd",
    "spawn /etc/init.d/10-a",
    "spawn /etc/init.d/20-b",
    "spawn init-hotplug",
    "spawn /usr/bin/memlogd",
    "spawn /usr/bin/svcd",
    "spawn /etc/shutdown.d/10-s",
    "kill /usr/bin/svcd 15",
    "kill /usr/bin/svcd 18",
    "kill all 15",
    "kill all 18",
    "spawn init-unmount",
    "spawn init-poweroff",
};

/* Without timers deadlines are alarm(2)'s: of devices, shutdown.d, services (as stop-seconds has it), ... */
static const char *const alarms[] = {"alarm 10", "alarm 60", "alarm 42", "alarm 5", "alarm 10"};

/* Finds the texts in the calls, in their order. */
static void expect_in_order(const char *const *texts, size_t len) {
    size_t at = 0;

    for (size_t i = 0; fake_call(i) && at < len; i++)
        at += !strcmp(fake_call(i), texts[at]);
    if (at < len)
        fail_msg("\"%s\" is missing, or out of order", texts[at]);
}

static void a_boot_and_a_shutdown_are_the_contracts(void **state) {
    (void)state;
    run(files, FAKE_NOTHING_FAILS, 0);
    expect_in_order(contract, ARRAY_SIZE(contract));
    assert_string_equal(fake_said(),
                        "Welcome\n"
                        "init: the last reset was the watchdog's\n"
                        "init: the last kernel left 1 record of its end in /sys/fs/pstore: dmesg-1\n"
                        "init: rescue shell, as keelson.rescue=1 asks for; the boot goes on when it ends\n"
                        "init: /usr/bin/memlogd was killed by signal 9 (Killed); starting it again in 100 ms\n"
                        "init: /usr/bin/svcd was killed by signal 9 (Killed); starting it again in 100 ms\n"
                        "init: shutdown took 0 ms (shutdown.d 0, services 0, terminate 0, unmount 0)\n");
    assert_int_equal(fake_count("mount "), 23);
}

static void deadlines_need_no_timers(void **state) {
    (void)state;
    fake_on(files, FAKE_NOTHING_FAILS, 0);
    fake_always_fails("timerfd_create", ENOMEM);
    run_whole();
    expect_in_order(alarms, ARRAY_SIZE(alarms));
    /* It is the kernel's word that counts. */
    in.machine.state = STATE_UNMOUNT;
    take_signal(&in, SIGALRM, SI_USER);
    assert_int_equal(in.machine.state, STATE_UNMOUNT);
    fake_on(files, FAKE_NOTHING_FAILS, 0);
    take_signal(&in, SIGALRM, SI_KERNEL);
    fake_off();
    assert_int_equal(in.machine.state, STATE_END);
}

static void a_console_whose_driver_comes_late_has_all_from_then_on(void **state) {
    struct fake_file world[ARRAY_SIZE(files)];
    (void)state;
    memcpy(world, files, sizeof(files));
    struct fake_file *tty = world;
    while (strcmp(tty->path, "/dev/ttyS1") != 0)
        tty++;
    tty->path = "/dev/none";
    fake_on(world, FAKE_NOTHING_FAILS, 0);
    in = (struct init){0};
    start_up(&in);
    assert_int_equal(in.machine.state, STATE_DEVICES);
    log_error("before");
    assert_int_equal(fake_count("write /dev/ttyS1"), 0);
    tty->path = "/dev/ttyS1";
    settle();
    fake_off();
    assert_int_equal(fake_count("write /dev/ttyS1"), fake_count("write /dev/ttyS0") - 1);
}

static void control_groups_of_version_1(void **state) {
    static const char *const calls[] = {"mount tmpfs /sys/fs/cgroup nodev,nosuid,noexec mode=755",
                                        "mount cgroup /sys/fs/cgroup/cpu nodev,nosuid,noexec cpu",
                                        "mount cgroup /sys/fs/cgroup/systemd nodev,nosuid,noexec none,name=systemd",
                                        "sethostname linuxkit-020000000001"};
    (void)state;
    run(files_v1, FAKE_NOTHING_FAILS, 0);
    expect_in_order(calls, ARRAY_SIZE(calls));
    assert_int_equal(fake_count("mount cgroup2"), 0);
    assert_int_equal(fake_count("mount cgroup /sys/fs/cgroup/memory"), 0); /* not enabled */
}

static void in_a_container_nothing_is_mounted_and_no_device_is_touched(void **state) {
    static const char *const calls[] = {"prctl",
                                        "ioctl inet SIOCSIFADDR",
                                        "setrlimit NOFILE 1048576",
                                        "spawn /etc/init.d/10-a",
                                        "spawn /etc/shutdown.d/10-s",
                                        "kill all 15"};
    (void)state;
    run(files_container, FAKE_NOTHING_FAILS, 0);
    expect_in_order(calls, ARRAY_SIZE(calls));
    for (const char *const *none =
             (const char *const[]){"mount", "mknod", "spawn init-", "settimeofday", "open /dev/rtc0",
                                   "open /dev/watchdog", "socket uevents", "reboot", NULL};
         *none; none++)
        assert_int_equal(fake_count(*none), 0);
}

/* --- every failure of every call --- */

/* Failures of which nothing need be said, or of which the next call tells. */
static const char *const silent[] = {
    "access /proc/self", /* the answer no is what a machine gives */
    "mkdir /dev ",       /* as a rule it is there; if not, its mount fails */
    "mkdir /proc",
    "mkdir /run 755",
    "mkdir /tmp",
    "mkdir /var 755",
    "mkdir /sys",
    "write /dev/ttyS", /* counted, and said on that console */
    "write stderr",
    "gethostname",                          /* cannot fail with a buffer that is there */
    "ioctl /dev/watchdog WDIOC_SETTIMEOUT", /* it is asked for the time it has instead */
    "read pipe's end",                      /* nothing more to print */
    "kill ",                                /* nobody is there any more */
};

/* A deadline without a timer is kept by alarm(2); a swarm of devices is looked at at once. */
static bool is_replaced(const char *call) {
    return !strncmp(call, "timerfd_", 8) || !strcmp(call, "epoll_ctl timer");
}

static bool is_silent(const char *call) {
    for (size_t i = 0; i < ARRAY_SIZE(silent); i++)
        if (!strncmp(call, silent[i], strlen(silent[i])))
            return true;
    return false;
}

/* What cannot be done once another call has failed. Of all other effects none may be missing. */
static const struct {
    const char *effect, *needs;
} dependencies[] = {
    {"mkdir /dev 755", "statfs /"},
    {"mount / /dev", "statfs /"},
    {"mount . /", "statfs /"},
    {"mount . /", "mount / /dev"},
    {"mount . /", "chdir /dev"},
    {"chroot", "statfs /"},
    {"chroot", "mount "},
    {"chroot", "chdir /dev"},
    {"mount - / remount", "statfs /"},
    {"mount mqueue", "stat /dev/mqueue"},
    {"mount securityfs", "stat /sys"},
    {"mount debugfs", "stat /sys"},
    {"mount configfs", "stat /sys"},
    {"mount fusectl", "stat /sys"},
    {"mount selinuxfs", "stat /sys"},
    {"mount pstore", "stat /sys"},
    {"mount bpf", "stat /sys"},
    {"mount efivarfs", "stat /sys"},
    {"mount binfmt_misc", "stat /proc"},
    {"mount cgroup ", "open /proc/cgroups"},
    {"mount cgroup ", "read /proc/cgroups"},
    {"mount cgroup ", "realloc"},
    {"mount cgroup ", "mkdir /sys/fs/cgroup"},
    {"mount cgroup ", "chmod /sys/fs/cgroup"},
    {"mount cgroup ", "mount tmpfs /sys/fs/cgroup"},
    {"mkdir /sys/fs/cgroup", "open /proc/cgroups"},
    {"mkdir /sys/fs/cgroup", "read /proc/cgroups"},
    {"mkdir /sys/fs/cgroup", "realloc"},
    {"mkdir /sys/fs/cgroup", "mount tmpfs /sys/fs/cgroup"},
    {"mkdir /run", "readlink"},
    {"mkdir /run", "strdup"},
    {"mkdir /run/resolvconf", "mkdir /run 755"},
    {"open /etc/resolv.conf", "readlink"},
    {"settimeofday", "open /dev/rtc0"},
    {"settimeofday", "ioctl /dev/rtc0"},
    {"ioctl inet", "socket inet"},
    {"sethostname", "open /etc/hostname"},
    {"sethostname", "read /etc/hostname"},
    {"sethostname linuxkit-", "open /sys/class/net/eth0/address"},
    {"sethostname linuxkit-", "read /sys/class/net/eth0/address"},
    {"spawn /bin/sh", "open /dev/console"},
    {"spawn /bin/sh", "open /proc/cmdline"},
    {"spawn /bin/sh", "read /proc/cmdline"},
    {"write /dev/watchdog", "open /proc/cmdline"},
    {"write /dev/watchdog", "read /proc/cmdline"},
    {"write /dev/watchdog", "open /dev/watchdog"},
    {"write /dev/watchdog", "epoll_create1"},
    {"write /dev/watchdog", "timerfd_"},
    {"write /dev/watchdog", "epoll_ctl timer"},
    {"mount tmpfs /sys/fs/cgroup", "open /proc/cmdline"},
    {"mount tmpfs /sys/fs/cgroup", "read /proc/cmdline"},
    {"mount cgroup ", "open /proc/cmdline"},
    {"mount cgroup ", "read /proc/cmdline"},
    {"mkdir /sys/fs/cgroup", "open /proc/cmdline"},
    {"mkdir /sys/fs/cgroup", "read /proc/cmdline"},
    {"spawn /etc/", "opendir /etc/"},
    {"spawn /etc/", "readdir /etc/"},
    {"spawn /etc/", "reallocarray"},
    {"spawn /etc/", "strdup"},
    {"spawn /etc/", "asprintf"},
    {"spawn /etc/", "stat /etc/"},
    {"spawn /usr/bin/memlogd", "access /usr/bin/memlogd"},
    {"spawn /usr/bin/svcd", "access /usr/bin/svcd"},
    {"kill /usr/bin/svcd", "access /usr/bin/svcd"},
    {"kill /usr/bin/svcd", "spawn /usr/bin/svcd"},
};

static const char *const effects[] = {
    "mount ",     "mkdir ",      "chroot", "mknod ", "symlink ", "settimeofday", "ioctl inet",
    "setrlimit ", "sethostname", "spawn ", "kill ",  "sync",     "write /dev/w", "open /etc/resolv.conf"};

static bool is_effect(const char *call) {
    for (size_t i = 0; i < ARRAY_SIZE(effects); i++)
        if (!strncmp(call, effects[i], strlen(effects[i])))
            return true;
    return false;
}

static bool may_be_missing(const char *effect, const char *failed) {
    for (size_t i = 0; i < ARRAY_SIZE(dependencies); i++)
        if (!strncmp(effect, dependencies[i].effect, strlen(dependencies[i].effect)) &&
            !strncmp(failed, dependencies[i].needs, strlen(dependencies[i].needs)))
            return true;
    return false;
}

/* A run in which nothing failed. */
static char calls[FAKE_CALLS_MAX][128], said[32768];
static size_t calls_len;

static void remember(void) {
    for (calls_len = 0; fake_call(calls_len); calls_len++)
        (void)snprintf(calls[calls_len], sizeof(*calls), "%s", fake_call(calls_len));
    (void)snprintf(said, sizeof(said), "%s", fake_said());
}

static unsigned count_remembered(const char *call) {
    unsigned n = 0;

    for (size_t i = 0; i < calls_len; i++)
        n += !strncmp(calls[i], call, strlen(call));
    return n;
}

static void expect_all_effects_but(const char *failed) {
    for (size_t i = 0; i < calls_len; i++)
        if (is_effect(calls[i]) && fake_count(calls[i]) < count_remembered(calls[i]) &&
            !may_be_missing(calls[i], failed))
            fail_msg("\"%s\" failed, and \"%s\" was not done", failed, calls[i]);
}

/* How many lines there are that are not said when nothing fails; and of these, how many name the error. */
static unsigned count_complaints(int error, unsigned *naming) {
    char text[sizeof(said)];
    unsigned n = 0;

    *naming = 0;
    (void)snprintf(text, sizeof(text), "%s", fake_said());
    for (char *line, *pos = text; (line = next_line(&pos));)
        if (!strstr(said, line)) {
            n++;
            *naming += strstr(line, strerror(error)) != NULL;
        }
    return n;
}

static bool is_memory(const char *call) {
    return strstr(call, "alloc") || !strcmp(call, "strdup") || !strcmp(call, "asprintf");
}

static void expect_one_line(const char *failed, int error) {
    unsigned naming, complaints = count_complaints(is_memory(failed) ? ENOMEM : error, &naming);
    /* Whatever needs the loop tells of it, too; and PID 1 itself ends the machine if no worker can. */
    bool consequences = !strcmp(failed, "epoll_create1") || !strcmp(failed, "spawn init-poweroff");

    if (is_silent(failed) || is_replaced(failed) ? naming > 1 : naming != 1 || (complaints > 1 && !consequences))
        fail_msg("\"%s\" failed, and %u lines were said:\n%s", failed, complaints, fake_said());
}

static void fail_each_call(const struct fake_file *world, const char *last, int error) {
    run(world, FAKE_NOTHING_FAILS, 0);
    remember();
    for (size_t failing = 0; failing < calls_len; failing++) {
        const char *failed = calls[failing];
        run(world, failing, error);
        if (in.machine.state != STATE_END)
            fail_msg("\"%s\" failed, and it went no further than state %d", failed, in.machine.state);
        assert_int_equal(in.action, RB_POWER_OFF);
        if (fake_count(last) == 0)
            fail_msg("\"%s\" failed, and \"%s\" was not reached", failed, last);
        expect_all_effects_but(failed);
        expect_one_line(failed, error);
    }
    assert_true(calls_len > 100);
}

static void whatever_fails_a_machine_boots_lives_and_ends(void **state) {
    (void)state;
    fail_each_call(files, "spawn init-poweroff", ENOMEM);
    fail_each_call(files, "spawn init-poweroff", EIO);
}

static void so_it_does_with_control_groups_of_version_1(void **state) {
    (void)state;
    fail_each_call(files_v1, "spawn init-poweroff", ENOMEM);
}

static void whatever_fails_a_container_ends(void **state) {
    (void)state;
    fail_each_call(files_container, "kill all 15", ENOMEM);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_boot_and_a_shutdown_are_the_contracts),
        cmocka_unit_test(deadlines_need_no_timers),
        cmocka_unit_test(a_console_whose_driver_comes_late_has_all_from_then_on),
        cmocka_unit_test(control_groups_of_version_1),
        cmocka_unit_test(in_a_container_nothing_is_mounted_and_no_device_is_touched),
        cmocka_unit_test(whatever_fails_a_machine_boots_lives_and_ends),
        cmocka_unit_test(so_it_does_with_control_groups_of_version_1),
        cmocka_unit_test(whatever_fails_a_container_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
