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
#include "init/lastend.h"
#include "init/machine.h"
#include "init/mounts.h"
#include "init/power.h"
#include "init/powerbutton.h"
#include "init/recorder.h"
#include "init/relay.h"
#include "init/report.h"
#include "init/setup.h"
#include "init/steps.h"
#include "init/watchdog.h"
#include "lib/fdstore.h"
#include "lib/fdutil.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "lib/respawn.h"
#include "lib/spawn.h"

#define HOTPLUG_SETTLE_MS 50
#define STOP_FILE "/run/keelson/stop-seconds" /* svcd's: what a stop of all its services may take */
#define STOP_SECONDS_MAX 3600
#define STOP_SLACK_MS 2000

struct init {
    struct loop loop;
    struct loop_source signals, deadline, settle;
    struct machine machine;
    struct hotplug hotplug;
    struct relay relay;
    struct respawn memlogd, svcd;
    struct fdstore log_store; /* what memlogd holds, for its next life */
    struct steps steps;
    struct recorder recorder;
    struct powerbuttons buttons;
    struct watchdog watchdog;
    pid_t rescue; /* shell on the console */
    pid_t worker; /* cold plug or unmount */
    bool plug_again;
    uint64_t begin_ns; /* the kernel's hand-over to us */
    uint64_t devices_start_ns;
    bool has_console;
    bool container;              /* started inside one: no mounts, no devices, and an end */
    int action;                  /* RB_* */
    uint64_t entered_ms[STATES]; /* 0: not yet */
    struct cmdline cmdline;
};

/* Up to now; all that comes before init.d is a part of "init". */
static void stamp(const char *stage, uint64_t start_ns) {
    const bool whole = !strcmp(stage, "init");
    const struct timeline_stage s = {stage, whole ? "" : "init", start_ns, clock_ns(), true, "", NULL};

    report_stage(&s);
}

static bool start_worker_with(struct init *in, const char *const *argv) {
    struct err e = {0};
    struct spawn s = SPAWN_INIT;

    s.argv = argv;
    s.program = "/proc/self/exe";
    if (spawn(&s, &in->worker, NULL, &e) == 0)
        return true;
    in->worker = 0;
    log_error("%s", e.msg);
    return false;
}

static bool start_worker(struct init *in, const char *name) {
    return start_worker_with(in, (const char *const[]){name, NULL});
}

/* --- devices that come later --- */

static void plug(struct init *in) {
    if (in->worker > 0)
        in->plug_again = true;
    else if (!machine_stopping(&in->machine))
        (void)start_worker(in, WORKER_HOTPLUG);
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

/* The first worker may never come back. The next one does what it does not come to, but for its driver. */
static bool enter_others(struct init *in) {
    in->worker = 0;
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
    if (!in->container)
        lastend_report("");
    if (in->cmdline.watchdog_s && !in->container)
        watchdog_start(&in->watchdog, &in->loop, in->cmdline.watchdog_s);
    stamp("setup", start);
}

/* A shell on the console, as an image with busybox has it. */
static bool start_rescue(struct init *in) {
    struct err e = {0};
    struct spawn s = SPAWN_INIT;

    AUTO_CLOSE int console = open("/dev/console", O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (console < 0) {
        report_failed("start the rescue shell on", "/dev/console");
        return false;
    }
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
    if (!in->container)
        console_open_more();
    if (in->devices_start_ns)
        stamp("devices", in->devices_start_ns);
    setup(in);
    if (!in->cmdline.rescue)
        return false;
    log_notice("rescue shell, as keelson.rescue=1 asks for; the boot goes on when it ends");
    return start_rescue(in);
}

static bool enter_initd(struct init *in) {
    static const char *const memlogd[] = {"/usr/bin/memlogd", NULL};
    static const char *const svcd[] = {"/usr/bin/svcd", NULL};

    stamp("init", in->begin_ns);
    if (!in->container) {
        on_hotplug(in); /* what the cold plug left for later */
        recorder_start(&in->recorder, &in->loop, &in->relay, &in->steps, in->cmdline.record_s);
    }
    int r = fdstore_init(&in->log_store, &in->loop);
    if (r < 0)
        log_error("could not keep the log daemon's descriptors: %s", strerror(-r));
    respawn_start_with_store(&in->memlogd, &in->loop, memlogd, &in->log_store);
    respawn_start(&in->svcd, &in->loop, svcd);
    return steps_begin(&in->steps, "/etc/init.d", "init.d");
}

static bool enter_running(struct init *in) {
    if (in->steps.started == 0 && !in->svcd.wanted) {
        log_error("there is nothing in /etc/init.d, and no /usr/bin/svcd: nothing was started");
        if (!in->container)
            (void)start_rescue(in);
    }
    (void)kill(1, SIGCHLD); /* a container whose last child has ended, or that never had one, ends */
    if (!in->svcd.wanted)
        recorder_up(&in->recorder); /* else svcd says when */
    return true;
}

static bool enter_hooks(struct init *in) {
    recorder_stop(&in->recorder);
    steps_abandon(&in->steps);
    return steps_begin(&in->steps, "/etc/shutdown.d", "shutdown.d");
}

static bool enter_services(struct init *in) {
    steps_abandon(&in->steps); /* a hook that was too slow: its end is not that of the services */
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
    (void)kill(-1, SIGCONT); /* who is stopped hears no SIGTERM */
    return children_left();
}

static bool enter_unmount(struct init *in) {
    if (in->container)
        return false;
    if (start_worker_with(in, recorder_argv(&in->recorder, WORKER_UNMOUNT, "down", power_word(in->action))))
        return true;
    sync(); /* it may hang; but what is not written now is lost for certain */
    return false;
}

/* "shutdown took 310 ms (shutdown.d 12, services 200, terminate 50, unmount 48)" */
static void report_shutdown(const struct init *in) {
    char text[160] = "";
    size_t used = 0;
    uint64_t until = clock_ms(), all = until - in->entered_ms[STATE_HOOKS];

    for (enum state s = STATE_HOOKS; s < STATE_END; s++) {
        enum state next = s + 1;
        while (next < STATE_END && !in->entered_ms[next])
            next++;
        if (!in->entered_ms[s] || used >= sizeof(text))
            continue;
        uint64_t end = next < STATE_END ? in->entered_ms[next] : until;
        used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s %llu", used ? ", " : "", machine_state_name(s),
                                 (unsigned long long)(end - in->entered_ms[s]));
    }
    log_notice("shutdown took %llu ms (%s)", (unsigned long long)all, text);
}

/*
 * In a child: the kernel ends the caller of reboot(2) when the machine does not go off, and without PID 1 it panics,
 * which may start the machine again.
 */
static bool enter_end(struct init *in) {
    report_shutdown(in);
    relay_flush(&in->relay);
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

    in->entered_ms[s] = clock_ms();
    switch (s) {
    case STATE_DEVICES:
        return enter_devices(in);
    case STATE_OTHERS:
        return enter_others(in);
    case STATE_RESCUE:
        return enter_rescue(in);
    case STATE_INITD:
        return enter_initd(in);
    case STATE_RUNNING:
        return enter_running(in);
    case STATE_HOOKS:
        return enter_hooks(in);
    case STATE_SERVICES:
        return enter_services(in);
    case STATE_TERM:
        return signal_all(in, SIGTERM);
    case STATE_KILL:
        return signal_all(in, SIGKILL);
    case STATE_UNMOUNT:
        return enter_unmount(in);
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

    if (s == STATE_DEVICES || s == STATE_OTHERS)
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

/* Services may have asked for more time than they get by default: svcd has added it up. */
static unsigned services_deadline(const char *stop_file, unsigned ms) {
    char text[24];
    uint64_t seconds;

    AUTO_CLOSE int fd = open(stop_file, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read_full(fd, text, sizeof(text) - 1);
    if (fd < 0 || n < 0)
        report_unless_absent("read", stop_file);
    text[n < 0 ? 0 : n] = '\0';
    text[strcspn(text, "\n")] = '\0';
    int r = parse_u64(text, STOP_SECONDS_MAX, &seconds);
    if (r == -ERANGE)
        seconds = STOP_SECONDS_MAX;
    else if (r < 0)
        return ms;
    unsigned asked = (unsigned)seconds * 1000 + STOP_SLACK_MS;
    return asked > ms ? asked : ms;
}

static void set_deadline(void *sys, unsigned ms) {
    struct init *in = sys;

    if (in->machine.state == STATE_SERVICES)
        ms = services_deadline(STOP_FILE, ms);
    loop_remove(&in->loop, &in->deadline);
    (void)alarm(0);
    if (ms && loop_set_timer(&in->loop, &in->deadline, ms, on_deadline, in) < 0)
        (void)alarm((ms + 999) / 1000); /* no memory for a timer: this one needs none */
}

/* --- events --- */

static void worker_reaped(struct init *in) {
    in->worker = 0;
    powerbuttons_scan(&in->buttons);
    if (in->machine.state == STATE_DEVICES || in->machine.state == STATE_OTHERS || in->machine.state == STATE_UNMOUNT)
        machine_event(&in->machine, EVENT_DONE);
    else if (in->machine.state == STATE_END)
        log_error("the machine did not end; it is safe to switch off");
    if (in->plug_again) {
        in->plug_again = false;
        plug(in);
    }
}

/* Who was killed has not given the services their grace: the next one goes on with that, unless there is none. */
static void svcd_ended(struct init *in, int status) {
    if (WIFSIGNALED(status))
        respawn_start(&in->svcd, &in->loop, in->svcd.argv);
    in->svcd.wanted = false;
    if (in->svcd.pid == 0)
        machine_event(&in->machine, EVENT_DONE);
}

static void reaped(struct init *in, pid_t pid, int status) {
    bool ended;

    if (status != 0 && pid == in->steps.pid) {
        relay_flush(&in->relay); /* what it printed last may be on its way still */
        in->steps.output = in->relay.tail;
    }
    if (pid == in->worker)
        worker_reaped(in);
    else if (recorder_reaped(&in->recorder, pid))
        ; /* it has said all */
    else if (pid == in->rescue) {
        in->rescue = 0;
        if (in->machine.state == STATE_RESCUE)
            machine_event(&in->machine, EVENT_DONE);
    } else if (steps_reaped(&in->steps, pid, status, &ended)) {
        relay_forget(&in->relay);
        if (ended && (in->machine.state == STATE_INITD || in->machine.state == STATE_HOOKS))
            machine_event(&in->machine, EVENT_DONE);
    } else if (respawn_reaped(&in->svcd, pid, status)) {
        if (in->machine.state == STATE_SERVICES)
            svcd_ended(in, status);
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
    else if (none_left && in->container && in->machine.state == STATE_RUNNING && !in->memlogd.wanted &&
             !in->svcd.wanted)
        machine_event(&in->machine, EVENT_SHUTDOWN); /* all that was started has ended: so does the container */
}

static void take_signal(struct init *in, int sig, int code) {
    int action = power_action(sig);

    if (sig == SIGCHLD)
        reap_all(in);
    else if (sig == SIGALRM && code == SI_KERNEL) /* not just from anybody */
        machine_event(&in->machine, EVENT_TIMEOUT);
    if (!action || machine_stopping(&in->machine))
        return;
    in->action = action;
    machine_event(&in->machine, EVENT_SHUTDOWN);
}

static void on_signal(struct loop_source *s, const struct signalfd_siginfo *info, void *data) {
    (void)s;
    take_signal(data, (int)info->ssi_signo, info->ssi_code);
}

static void on_power_button(void *data) {
    struct init *in = data;

    if (machine_stopping(&in->machine))
        return;
    log_notice("power button pressed");
    in->action = (int)RB_POWER_OFF;
    machine_event(&in->machine, EVENT_SHUTDOWN);
}

static sigset_t our_signals(void) {
    sigset_t set;

    sigemptyset(&set);
    for (const int *sig = (const int[]){SIGCHLD, SIGALRM, SIGUSR1, SIGUSR2, SIGTERM, SIGINT, 0}; *sig; sig++)
        sigaddset(&set, *sig);
    return set;
}

static int start_loop(struct init *in) {
    const sigset_t set = our_signals();

    int r = loop_init(&in->loop);
    powerbuttons_init(&in->buttons, &in->loop, on_power_button, in);
    return r < 0 ? r : loop_add_signals(&in->loop, &in->signals, &set, on_signal, in);
}

/* What can be done without the loop: reap, and answer signals. */
static void wait_for_a_signal(struct init *in) {
    const sigset_t set = our_signals();
    const struct timespec second = {.tv_sec = 1};
    siginfo_t info;

    (void)sigprocmask(SIG_BLOCK, &set, NULL);
    int sig = sigtimedwait(&set, &info, &second);
    if (sig > 0)
        take_signal(in, sig, info.si_code);
    reap_all(in);
}

/* --- the start --- */

static void read_cmdline(struct init *in) {
    int r = cmdline_read(&in->cmdline, NULL);

    if (r < 0)
        log_error("could not read /proc/cmdline: %s", strerror(-r));
}

static void make_run(void) {
    if (mkdir("/run/keelson", 0755) < 0 && errno != EEXIST)
        report_failed("create", "/run/keelson");
}

static void prepare_root(struct init *in) {
    uint64_t kernel = in->begin_ns;
    root_make_pivotable();
    uint64_t root = clock_ns();
    mounts_make_proc();
    read_cmdline(in);
    mounts_make(in->cmdline.cgroup_v1);
    uint64_t mounts = clock_ns();
    const struct timeline_stage stages[] = {{"kernel", "", 0, kernel, true, "", NULL},
                                            {"root", "init", kernel, root, true, "", NULL},
                                            {"mounts", "init", root, mounts, true, "", NULL}};

    make_run();
    for (size_t i = 0; i < ARRAY_SIZE(stages); i++)
        report_stage(&stages[i]);
    int r = setup_console();
    console_open(&in->cmdline);
    if (r < 0)
        log_error("could not open /dev/console: %s", strerror(-r));
    in->has_console = r == 0;
}

/* From here on what children print goes through us. Where there is no console, they print to /dev/null already. */
static void start_relay(struct init *in) {
    int console = in->has_console ? open("/dev/console", O_WRONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC) : -1;

    if (!in->has_console)
        return; /* said already */
    if (console < 0) {
        report_failed("open", "/dev/console");
        return;
    }
    log_set_fd(console); /* should no console= be there: never into our own pipe */
    AUTO_CLOSE int pipe_fd = relay_start(&in->relay, &in->loop, console);
    if (pipe_fd < 0 || dup2(pipe_fd, STDOUT_FILENO) < 0 || dup2(pipe_fd, STDERR_FILENO) < 0)
        log_error("could not stand between the steps and the console: %s", strerror(errno));
}

static void start_up(struct init *in) {
    static const struct machine_ops ops = {enter, set_deadline, late};

    in->begin_ns = clock_ns();
    in->container = access("/proc/self", F_OK) == 0;
    if (in->container) {
        read_cmdline(in);
        if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
            report_failed("become", "a subreaper");
        make_run();
    } else {
        prepare_root(in);
        if (reboot(RB_DISABLE_CAD) < 0) /* ctrl-alt-del becomes SIGINT */
            report_failed("take over", "ctrl-alt-del");
    }
    in->machine = (struct machine){STATE_START, &ops, in};
    int r = start_loop(in);
    if (r < 0)
        log_error("could not start the event loop: %s", strerror(-r));
    else if (!in->container)
        start_relay(in);
    machine_event(&in->machine, EVENT_BEGIN);
}

int init_main(void) {
    static struct init in;

    log_init("init", LOG_LEVEL_NOTICE);
    (void)setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", 0); /* the kernel sets none */
    start_up(&in);
    for (bool said = false;;) {
        int r = loop_run(&in.loop);
        if (in.container && in.machine.state == STATE_END)
            return 0;
        if (!said)
            log_error("the event loop ended: %s; only signals are answered now", strerror(-r));
        said = true;
        wait_for_a_signal(&in);
    }
}
