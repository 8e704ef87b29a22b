/* SPDX-License-Identifier: Apache-2.0 */
/* The real system below the machine: boot, children, shutdown. */
#include "init/init.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "cmdline/cmdline.h"
#include "init/console.h"
#include "init/holders.h"
#include "init/hotplug.h"
#include "init/machine.h"
#include "init/mounts.h"
#include "init/power.h"
#include "init/powerbutton.h"
#include "init/setup.h"
#include "init/steps.h"
#include "init/watchdog.h"
#include "lib/fdstore.h"
#include "lib/fdutil.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "lib/respawn.h"
#include "lib/spawn.h"
#include "lib/timeline.h"

#define HOTPLUG_SETTLE_MS 50

struct init {
    struct loop loop;
    struct loop_source signals, deadline, settle;
    struct machine machine;
    struct hotplug hotplug;
    struct respawn memlogd, svcd;
    struct fdstore log_store; /* what memlogd holds, for its next life */
    struct steps steps;
    struct powerbuttons buttons;
    struct watchdog watchdog;
    pid_t rescue; /* shell on the console */
    pid_t worker; /* cold plug or unmount */
    bool plug_again;
    uint64_t devices_start_ns;
    bool container;   /* started inside one: no mounts, no devices, and an end */
    int action;       /* RB_* */
    uint64_t stop_ms; /* when the shutdown was asked for */
    struct cmdline cmdline;
};

static void stamp(const char *stage, uint64_t start_ns, bool ok, const char *detail) {
    const struct timeline_stage s = {stage, "", start_ns, clock_ns(), ok, detail};

    (void)timeline_append(TIMELINE_PATH, &s); /* a full /run must not stop the boot */
}

static bool start_worker(struct init *in, const char *name) {
    struct err e = {0};
    struct spawn s = SPAWN_INIT;

    s.argv = (const char *const[]){name, NULL};
    s.program = "/proc/self/exe";
    if (spawn(&s, &in->worker, NULL, &e) == 0)
        return true;
    in->worker = 0;
    log_error("%s", e.msg);
    return false;
}

/* --- devices that come later --- */

static void plug(struct init *in) {
    if (in->worker > 0)
        in->plug_again = true;
    else if (!machine_stopping(&in->machine))
        (void)start_worker(in, WORKER_COLDPLUG);
}

static void on_settled(struct loop_source *s, void *data) {
    (void)s;
    plug(data);
}

/* Devices come in swarms: one walk a little later sees them all. */
static void on_hotplug(void *data) {
    struct init *in = data;

    if (!loop_has(&in->settle) && loop_set_timer(&in->loop, &in->settle, HOTPLUG_SETTLE_MS, on_settled, in) < 0)
        plug(in);
}

/* --- what the states do --- */

static bool enter_devices(struct init *in) {
    if (in->container)
        return false;
    in->devices_start_ns = clock_ns();
    int r = hotplug_start(&in->hotplug, &in->loop, on_hotplug, in);
    if (r < 0)
        log_error("could not listen for new devices: %s", strerror(-r));
    return start_worker(in, WORKER_COLDPLUG);
}

static void setup(struct init *in) {
    uint64_t start = clock_ns();

    if (!in->container)
        setup_clock();
    setup_loopback();
    setup_limits();
    setup_hostname();
    setup_resolv_conf();
    setup_issue(&in->cmdline);
    if (in->cmdline.watchdog_s && !in->container)
        watchdog_start(&in->watchdog, &in->loop, in->cmdline.watchdog_s);
    stamp("setup", start, true, "");
}

/* A shell on the console, as an image with busybox has it. */
static bool start_rescue(struct init *in) {
    struct err e = {0};
    struct spawn s = SPAWN_INIT;

    AUTO_CLOSE int console = open("/dev/console", O_RDWR | O_NOCTTY | O_CLOEXEC);
    s.argv = (const char *const[]){"/bin/sh", "-l", NULL};
    s.stdin_fd = s.stdout_fd = s.stderr_fd = console;
    s.setsid = s.ctty = true;
    if (spawn(&s, &in->rescue, NULL, &e) == 0)
        return true;
    in->rescue = 0;
    log_error("could not start the rescue shell: %s", e.msg);
    return false;
}

static bool enter_rescue(struct init *in) {
    if (in->devices_start_ns)
        stamp("devices", in->devices_start_ns, true, "");
    setup(in);
    if (!in->cmdline.rescue)
        return false;
    log_notice("rescue shell, as keelson.rescue=1 asks for; the boot goes on when it ends");
    return start_rescue(in);
}

static bool enter_initd(struct init *in) {
    static const char *const memlogd[] = {"/usr/bin/memlogd", NULL};
    static const char *const svcd[] = {"/usr/bin/svcd", NULL};

    int r = fdstore_init(&in->log_store, &in->loop);
    if (r < 0)
        log_error("could not keep the log daemon's descriptors: %s", strerror(-r));
    respawn_start_with_store(&in->memlogd, &in->loop, memlogd, &in->log_store);
    respawn_start(&in->svcd, &in->loop, svcd);
    return steps_begin(&in->steps, "/etc/init.d", "init.d");
}

static bool enter_running(struct init *in) {
    if (in->steps.started == 0 && !in->svcd.wanted && !in->container) {
        log_error("there is nothing in /etc/init.d, and no /usr/bin/svcd: nothing was started");
        (void)start_rescue(in);
    }
    return true;
}

static bool enter_hooks(struct init *in) {
    in->stop_ms = clock_ms();
    steps_abandon(&in->steps);
    return steps_begin(&in->steps, "/etc/shutdown.d", "shutdown.d");
}

static bool enter_services(struct init *in) {
    steps_abandon(&in->steps); /* a hook that took too long */
    return respawn_stop(&in->svcd, SIGTERM);
}

static bool children_left(void) {
    siginfo_t info;

    return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

static bool signal_all(struct init *in, int sig) {
    steps_abandon(&in->steps);
    (void)respawn_stop(&in->svcd, 0);
    (void)respawn_stop(&in->memlogd, 0);
    (void)kill(-1, sig);
    return children_left();
}

/*
 * In a child: the kernel ends the caller of reboot(2) when the machine does not go off, and without PID 1 it panics,
 * which may start the machine again.
 */
static bool enter_end(struct init *in) {
    log_notice("shutdown took %llu ms", (unsigned long long)(clock_ms() - in->stop_ms));
    if (in->container) {
        loop_stop(&in->loop);
        return true;
    }
    if (in->action != (int)RB_AUTOBOOT)
        watchdog_disarm(&in->watchdog);
    if (!start_worker(in, power_worker(in->action))) {
        (void)reboot(in->action);
        log_error("could not end: %s; it is safe to switch off", strerror(errno));
    }
    return true;
}

static bool enter(void *sys, enum state s) {
    struct init *in = sys;

    switch (s) {
    case STATE_DEVICES:
        return enter_devices(in);
    case STATE_RESCUE:
        return enter_rescue(in);
    case STATE_INITD:
        return enter_initd(in);
    case STATE_RUNNING:
        return enter_running(in);
    case STATE_HOOKS:
        return enter_hooks(in);
    case STATE_SERVICES:
        steps_abandon(&in->steps); /* a hook that was too slow: its end is not that of the services */
        return enter_services(in);
    case STATE_TERM:
        return signal_all(in, SIGTERM);
    case STATE_KILL:
        return signal_all(in, SIGKILL);
    case STATE_UNMOUNT:
        return !in->container && start_worker(in, WORKER_UNMOUNT);
    case STATE_END:
        return enter_end(in);
    case STATE_START:
    case STATES:
        break;
    }
    return true;
}

/* The worker goes by the name of the module that it loads. */
static const char *worker_name(const struct init *in) {
    static char name[32];
    char path[48];

    (void)snprintf(path, sizeof(path), "/proc/%d/comm", in->worker);
    AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read_full(fd, name, sizeof(name) - 1);
    name[n < 0 ? 0 : n] = '\0';
    name[strcspn(name, "\n")] = '\0';
    return *name ? name : NULL;
}

static void late(void *sys, enum state s) {
    struct init *in = sys;
    const char *step = steps_current(&in->steps);

    if (s == STATE_DEVICES)
        step = worker_name(in);
    log_error("%s took too long%s%s: going on", machine_state_name(s), step ? ", in " : "", step ? step : "");
    if (s == STATE_TERM || s == STATE_KILL)
        holders_report();
}

static void on_deadline(struct loop_source *s, void *data) {
    struct init *in = data;

    (void)s;
    machine_event(&in->machine, EVENT_TIMEOUT);
}

static void set_deadline(void *sys, unsigned ms) {
    struct init *in = sys;

    loop_remove(&in->loop, &in->deadline);
    if (ms && loop_set_timer(&in->loop, &in->deadline, ms, on_deadline, in) < 0)
        log_error("could not set a deadline for %s", machine_state_name(in->machine.state));
}

/* --- events --- */

static void worker_reaped(struct init *in) {
    in->worker = 0;
    powerbuttons_scan(&in->buttons);
    if (in->machine.state == STATE_DEVICES || in->machine.state == STATE_UNMOUNT)
        machine_event(&in->machine, EVENT_DONE);
    else if (in->machine.state == STATE_END)
        log_error("the machine did not end; it is safe to switch off");
    if (in->plug_again) {
        in->plug_again = false;
        plug(in);
    }
}

static void reaped(struct init *in, pid_t pid, int status) {
    bool ended;

    if (pid == in->worker)
        worker_reaped(in);
    else if (pid == in->rescue) {
        in->rescue = 0;
        if (in->machine.state == STATE_RESCUE)
            machine_event(&in->machine, EVENT_DONE);
    } else if (steps_reaped(&in->steps, pid, status, &ended)) {
        if (ended && (in->machine.state == STATE_INITD || in->machine.state == STATE_HOOKS))
            machine_event(&in->machine, EVENT_DONE);
    } else if (respawn_reaped(&in->svcd, pid, status)) {
        if (in->machine.state == STATE_SERVICES)
            machine_event(&in->machine, EVENT_DONE);
    } else {
        (void)respawn_reaped(&in->memlogd, pid, status);
    }
}

static void reap_all(struct init *in) {
    int status;
    pid_t pid;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
        reaped(in, pid, status);
    bool waits_for_all = in->machine.state == STATE_TERM || in->machine.state == STATE_KILL;
    bool none_left = pid < 0 && errno == ECHILD;
    if (none_left && waits_for_all)
        machine_event(&in->machine, EVENT_DONE);
    else if (none_left && in->container && in->machine.state == STATE_RUNNING)
        machine_event(&in->machine, EVENT_SHUTDOWN); /* all that was started has ended: so does the container */
}

static void on_signal(struct loop_source *s, const struct signalfd_siginfo *info, void *data) {
    struct init *in = data;
    int action = power_action((int)info->ssi_signo);

    (void)s;
    if (info->ssi_signo == SIGCHLD) {
        reap_all(in);
        return;
    }
    if (!action || machine_stopping(&in->machine))
        return;
    in->action = action;
    machine_event(&in->machine, EVENT_SHUTDOWN);
}

static void on_power_button(void *data) {
    struct init *in = data;

    if (machine_stopping(&in->machine))
        return;
    log_notice("power button pressed");
    in->action = (int)RB_POWER_OFF;
    machine_event(&in->machine, EVENT_SHUTDOWN);
}

static int start_loop(struct init *in) {
    sigset_t set;

    sigemptyset(&set);
    for (const int *sig = (const int[]){SIGCHLD, SIGUSR1, SIGUSR2, SIGTERM, SIGINT, 0}; *sig; sig++)
        sigaddset(&set, *sig);
    int r = loop_init(&in->loop);
    powerbuttons_init(&in->buttons, &in->loop, on_power_button, in);
    return r < 0 ? r : loop_add_signals(&in->loop, &in->signals, &set, on_signal, in);
}

/* --- the start --- */

static void prepare_root(struct init *in) {
    uint64_t kernel = clock_ns();
    root_make_pivotable();
    uint64_t root = clock_ns();
    mounts_make_proc();
    (void)cmdline_read(&in->cmdline, NULL);
    mounts_make(in->cmdline.cgroup_v1);
    uint64_t mounts = clock_ns();
    const struct timeline_stage stages[] = {{"kernel", "", 0, kernel, true, ""},
                                            {"root", "", kernel, root, true, ""},
                                            {"mounts", "", root, mounts, true, ""}};

    (void)mkdir("/run/keelson", 0755);
    for (size_t i = 0; i < ARRAY_SIZE(stages); i++)
        (void)timeline_append(TIMELINE_PATH, &stages[i]);
    setup_console();
    console_open(&in->cmdline);
}

int init_main(void) {
    static const struct machine_ops ops = {enter, set_deadline, late};
    static struct init in;

    log_init("init", LOG_LEVEL_NOTICE);
    (void)setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", 0); /* the kernel sets none */
    in.container = access("/proc/self", F_OK) == 0;
    if (in.container) {
        (void)cmdline_read(&in.cmdline, NULL);
        (void)prctl(PR_SET_CHILD_SUBREAPER, 1);
        (void)mkdir("/run/keelson", 0755);
    } else {
        prepare_root(&in);
        (void)reboot(RB_DISABLE_CAD); /* ctrl-alt-del becomes SIGINT */
    }
    in.machine = (struct machine){STATE_START, &ops, &in};
    int r = start_loop(&in);
    if (r < 0)
        log_error("could not start the event loop: %s", strerror(-r));
    machine_event(&in.machine, EVENT_BEGIN);
    for (;;) {
        r = loop_run(&in.loop);
        if (in.container && in.machine.state == STATE_END)
            return 0;
        log_error("the event loop ended: %s", strerror(-r));
        reap_all(&in); /* what can still be done without the loop */
        (void)sleep(1);
    }
}
