/* SPDX-License-Identifier: Apache-2.0 */
#include "svcd/containerd.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "lib/fdutil.h"
#include "lib/log.h"
#include "lib/spawn.h"
#include "lib/timeline.h"
#include "runtime-config/containerd_conf.h"
#include "svcd/acts.h"
#include "svcd/cgroup.h"
#include "svcd/ctrd.h"

#define PROGRAM "/usr/bin/containerd"
#define PID_FILE "/run/keelson/containerd.pid"
#define SOCKET_DIR "/run/containerd"
#define SOCKET_NAME "containerd.sock"
#define CONNECT_PAUSE_MS 100 /* behind a connection that broke, or a socket that takes no more */
#define PING_PAUSE_MS 1000
#define BUSY_LEAST_NS 10000000u /* one that hangs uses some processor time, too, for its timers */
#define DELAY_MIN_MS 100
#define DELAY_MAX_MS 10000

static void connect_soon(struct containerd *c, unsigned ms);
static int watch_socket(struct containerd *c);
static void watch_no_more(struct containerd *c);
static void start_process(struct containerd *c);
static void wait_to_serve(struct containerd *c);
static void signal_process(const struct containerd *c, int sig);

void containerd_init(struct containerd *c, struct loop *l, containerd_fn *on_ready, containerd_fn *on_lost,
                     containerd_fn *on_ended, void *data) {
    *c = (struct containerd){.loop = l,
                             .pidfd = -1,
                             .inotify_fd = -1,
                             .watch = -1,
                             .on_ready = on_ready,
                             .on_lost = on_lost,
                             .on_ended = on_ended,
                             .socket_dir = SOCKET_DIR,
                             .data = data};
}

/* Processor time that it has used: who is frozen uses none. 0: not known. */
static uint64_t processor_used_ns(pid_t pid) {
    struct timespec used;
    clockid_t clock;

    if (pid <= 0 || clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &used) < 0)
        return 0;
    return (uint64_t)used.tv_sec * 1000000000u + (uint64_t)used.tv_nsec;
}

/* One that was adopted has done other work before. */
static void stamp(const struct containerd *c, bool ok, const char *detail) {
    const struct timeline_stage s = {STAGE_CONTAINERD, STAGE_SYSTEM_INIT, c->start_ns, clock_ns(), ok, detail, NULL};
    char more[TIMELINE_MORE_MAX];

    timeline_more(more, c->adopted ? 0 : processor_used_ns(c->pid), NULL, 0);
    (void)timeline_append_more(TIMELINE_PATH, &s, more); /* a full /run must not stop it */
}

/* Its first start is part of the boot, however often it is tried; the timeline has the first few. */
static void start_failed(struct containerd *c, const char *why) {
    if (!c->start_ns)
        return;
    if (++c->start_faults <= CONTAINERD_FAULTS_MAX)
        stamp(c, false, why);
}

static void drop_connection(struct containerd *c) {
    bool was_ready = c->ready;
    struct grpc *g = c->grpc;

    c->ready = c->doubted = false;
    c->grpc = NULL;
    grpc_close(g);
    if (was_ready)
        c->on_lost(c->data);
}

static void on_connection_lost(void *data) {
    struct containerd *c = data;
    bool served = c->ready;

    drop_connection(c);
    if (c->pid <= 0 || !c->wanted)
        return;
    connect_soon(c, CONNECT_PAUSE_MS); /* it lives: perhaps only the connection broke */
    if (served)
        wait_to_serve(c);
}

/* --- it serves --- */

static void on_event_message(void *data, const uint8_t *message, size_t len) {
    const struct containerd *c = data;
    struct ctrd_event ev;

    if (ctrd_event(message, len, &ev) == 0 && ev.kind != CTRD_EV_OTHER)
        c->on_event(c->data, &ev);
}

static void on_events_end(void *data, const struct grpc_result *r) {
    (void)data;
    if (r->status != -ECONNRESET) /* exits are waited for one by one: they are not missed */
        log_warning("containerd tells no events any more: %s", r->error);
}

static void watch_events(struct containerd *c) {
    int r = c->on_event ? ctrd_subscribe(c->grpc, on_event_message, on_events_end, c) : 0;

    if (r < 0)
        log_warning("could not listen to containerd's events: %s", strerror(-r));
}

static void on_pong(void *data, const struct grpc_result *r) {
    struct containerd *c = data;

    if (r->status != GRPC_OK) {
        if (r->status != -ECONNRESET && c->wanted) { /* a lost connection is tried again by whoever hears of it */
            log_error("containerd does not serve: %s; trying again", r->error);
            connect_soon(c, PING_PAUSE_MS);
        }
        return;
    }
    if (!c->ready && c->wanted) {
        c->ready = true;
        c->delay_ms = 0;
        c->start_faults = 0;
        c->trouble[0] = '\0';
        loop_remove(c->loop, &c->slow);
        if (c->start_ns)
            stamp(c, true, c->adopted ? "adopted" : "");
        c->start_ns = 0; /* the boot's own start is in the timeline, later ones are not */
        watch_events(c);
        c->on_ready(c->data);
    }
}

/* --- it does not --- */

static void ask_for_a_sign(struct containerd *c);

static void on_sign(void *data, const struct grpc_result *r) {
    struct containerd *c = data;
    uint64_t used = processor_used_ns(c->pid);
    bool is_busy = used > c->used_ns && used - c->used_ns >= BUSY_LEAST_NS;

    c->doubted = false;
    if (r->status != -ETIMEDOUT || !c->wanted)
        return;
    if (is_busy && clock_ms() - c->doubted_ms < CONTAINERD_BUSY_MS) {
        log_warning("containerd does not answer, but it is busy: asking again");
        ask_for_a_sign(c);
        return;
    }
    (void)snprintf(c->trouble, sizeof(c->trouble), "containerd gives no sign of life for %llu s",
                   (unsigned long long)(clock_ms() - c->doubted_ms) / 1000);
    log_error("%s: killing it, to start it anew", c->trouble);
    signal_process(c, SIGKILL);
}

static void ask_for_a_sign(struct containerd *c) {
    c->used_ns = processor_used_ns(c->pid);
    c->doubted = ctrd_ping(c->grpc, CONTAINERD_SIGN_MS, on_sign, c) == 0; /* else it is broken: that is told anyway */
}

void containerd_doubt(struct containerd *c) {
    if (!c->ready || c->doubted)
        return;
    c->doubted_ms = clock_ms();
    ask_for_a_sign(c);
}

const char *containerd_trouble(const struct containerd *c) {
    return c->ready      ? ""
           : !c->wanted  ? "containerd was not started yet"
           : *c->trouble ? c->trouble
           : c->pid > 0  ? "containerd is starting"
                         : "containerd is not running";
}

static void on_slow(struct loop_source *s, void *data) {
    struct containerd *c = data;
    uint64_t since = clock_ms() - c->started_ms;
    bool enough = c->adopted || since >= CONTAINERD_START_MS;

    (void)s;
    (void)snprintf(c->trouble, sizeof(c->trouble), "containerd does not serve on %s/%s, %llu s after its start",
                   c->socket_dir, SOCKET_NAME, (unsigned long long)since / 1000);
    log_error("%s%s", c->trouble, enough ? ": killing it, to start it anew" : "; still waiting");
    if (enough)
        signal_process(c, SIGKILL);
    else
        wait_to_serve(c);
}

/* --- connecting --- */

static void try_connect(struct containerd *c) {
    AUTO_FREE char *path = path_join(c->socket_dir, SOCKET_NAME);
    struct grpc *old = c->grpc; /* connected, but it never served */

    c->grpc = NULL;
    grpc_close(old);
    int r = path ? grpc_connect(&c->grpc, c->loop, path, SERVICES_NAMESPACE, on_connection_lost, c) : -ENOMEM;
    if (!r)
        r = ctrd_ping(c->grpc, 0, on_pong, c); /* answered as soon as it serves */
    if (!r)
        return;
    grpc_close(c->grpc);
    c->grpc = NULL;
    bool not_yet = r == -ENOENT || r == -ECONNREFUSED;
    if (!not_yet || c->watch < 0)
        connect_soon(c, CONNECT_PAUSE_MS);
}

/* What comes before its folder is watched would be missed. */
static void look_for_socket(struct containerd *c) {
    if (c->watch < 0)
        (void)watch_socket(c); /* else it is looked for again and again, and so is this */
    try_connect(c);
}

/* It appears with bind(2), and is listened on when its mode is changed, which containerd does next. */
static void on_socket_seen(struct loop_source *src, uint32_t events, void *data) {
    _Alignas(struct inotify_event) char batch[4096];
    struct containerd *c = data;
    bool ours = false, moved = false;

    (void)events;
    for (ssize_t n; (n = read(src->fd, batch, sizeof(batch))) > 0;)
        for (const char *p = batch; p < batch + n;) {
            const struct inotify_event *ev = (const struct inotify_event *)(const void *)p;
            ours |= ev->len > 0 && !strcmp(ev->name, SOCKET_NAME);
            moved |= ev->wd == c->watch && ev->mask & (IN_DELETE_SELF | IN_MOVE_SELF | IN_IGNORED);
            p += sizeof(*ev) + ev->len;
        }
    if (moved)
        watch_no_more(c);
    if ((ours || moved) && c->pid > 0 && c->wanted && !c->grpc)
        look_for_socket(c);
}

static void wait_to_serve(struct containerd *c) {
    if (loop_set_timer(c->loop, &c->slow, CONTAINERD_SLOW_MS, on_slow, c) < 0)
        log_error("could not set a timer for containerd's start");
}

static void watch_no_more(struct containerd *c) {
    if (c->watch >= 0)
        (void)inotify_rm_watch(c->inotify_fd, c->watch); /* gone by itself, if its folder is */
    c->watch = -1;
}

static int open_inotify(struct containerd *c) {
    AUTO_CLOSE int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    int r = fd < 0 ? -errno : loop_add_fd(c->loop, &c->socket_seen, fd, EPOLLIN, on_socket_seen, c);

    if (r < 0)
        return r;
    c->inotify_fd = steal_fd(&fd);
    return 0;
}

/* Anew each time: what has that name may be another folder than the last time, and a watch goes with its folder. */
static int watch_socket(struct containerd *c) {
    struct err e = {0};

    if (mkdir_p(c->socket_dir, 0711, &e) < 0)
        return e.code;
    int r = c->inotify_fd < 0 ? open_inotify(c) : 0;
    if (r < 0)
        return r;
    watch_no_more(c);
    c->watch = inotify_add_watch(c->inotify_fd, c->socket_dir,
                                 IN_CREATE | IN_MOVED_TO | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF);
    return c->watch < 0 ? -errno : 0;
}

static void begin_connecting(struct containerd *c) {
    int r = watch_socket(c);

    if (r < 0)
        log_warning("could not watch %s: %s; looking every %d ms", c->socket_dir, strerror(-r), CONNECT_PAUSE_MS);
    c->started_ms = clock_ms();
    wait_to_serve(c);
    try_connect(c);
}

static void on_connect_timer(struct loop_source *s, void *data) {
    (void)s;
    look_for_socket(data);
}

static void connect_soon(struct containerd *c, unsigned ms) {
    if (loop_set_timer(c->loop, &c->timer, ms, on_connect_timer, c) < 0)
        log_error("could not set a timer to connect to containerd");
}

static void on_restart_timer(struct loop_source *s, void *data) {
    (void)s;
    start_process(data);
}

static void start_later(struct containerd *c) {
    c->delay_ms = c->delay_ms == 0 ? DELAY_MIN_MS : c->delay_ms >= DELAY_MAX_MS / 2 ? DELAY_MAX_MS : 2 * c->delay_ms;
    if (loop_set_timer(c->loop, &c->timer, c->delay_ms, on_restart_timer, c) < 0)
        log_error("could not set a timer to start containerd");
}

static void forget_process(struct containerd *c) {
    loop_remove(c->loop, &c->death);
    loop_remove(c->loop, &c->timer);
    loop_remove(c->loop, &c->slow);
    if (c->pidfd >= 0)
        (void)close(c->pidfd);
    c->pidfd = -1;
    c->pid = 0;
    (void)unlink(PID_FILE);
}

/* By the pidfd: an adopted one is PID 1's child, and its number may be another's as soon as it is reaped there. */
static void signal_process(const struct containerd *c, int sig) {
    if (syscall(SYS_pidfd_send_signal, c->pidfd, sig, NULL, 0U) < 0 && errno != ESRCH)
        log_error("could not signal containerd: %s", strerror(errno));
}

static void on_death(struct loop_source *s, uint32_t events, void *data) {
    struct containerd *c = data;
    char reason[96] = "ended";
    int status;

    (void)s;
    (void)events;
    if (!c->adopted && waitpid(c->pid, &status, 0) > 0)
        (void)exit_reason(status, reason, sizeof(reason));
    forget_process(c);
    drop_connection(c);
    if (!c->wanted) {
        c->on_ended(c->data);
        return;
    }
    start_later(c);
    if (!*c->trouble)
        (void)snprintf(c->trouble, sizeof(c->trouble), "containerd %s", reason);
    start_failed(c, reason);
    log_error("containerd %s; starting it again in %u ms", reason, c->delay_ms);
}

static int watch(struct containerd *c) {
    return loop_add_fd(c->loop, &c->death, c->pidfd, EPOLLIN, on_death, c);
}

static void write_pid_file(pid_t pid) {
    struct err e = {0};
    char text[16];

    int n = snprintf(text, sizeof(text), "%d\n", pid);
    if (write_file_atomic(PID_FILE, text, (size_t)n, 0644, false, &e) < 0)
        log_warning("%s", e.msg);
}

/* What cannot be read or opened is told, and does not keep it from starting: the appliance must stay reachable. */
static int spawn_configured(struct containerd *c, struct err *e) {
    AUTO(containerd_conf_free) struct containerd_conf conf;
    AUTO_CLOSE int out = -1, err = -1;
    struct err why = {0};

    if (containerd_conf_load(CONTAINERD_CONF_PATH, PROGRAM, &conf, &why) < 0)
        log_error("%s; containerd starts with its defaults", why.msg);
    if (containerd_conf_open(conf.stdout_to, &out, &why) < 0)
        log_error("%s; it goes to the console", why.msg);
    if (containerd_conf_open(conf.stderr_to, &err, &why) < 0)
        log_error("%s; it goes to the console", why.msg);
    containerd_log_watch(&c->log, c->loop, &conf);
    const struct spawn s = {.argv = conf.argv, .stdin_fd = -1, .stdout_fd = out, .stderr_fd = err, .setsid = true};
    int r = spawn(&s, &c->pid, &c->pidfd, e);
    if (!r && cgroup_enter(CGROUP_ROOT, CONTAINERD_CGROUP, c->pid, &why) < 0 && why.code != -ENOTSUP)
        log_warning("%s; containerd runs in svcd's", why.msg);
    return r;
}

static void start_process(struct containerd *c) {
    struct err e = {0};

    c->adopted = false;
    int r = spawn_configured(c, &e);
    if (!r && (r = watch(c)) < 0) {
        (void)err_errno(&e, r, "could not watch %s", PROGRAM);
        signal_process(c, SIGKILL);
        (void)waitpid(c->pid, NULL, 0);
    }
    if (r < 0) {
        if (strcmp(c->trouble, e.msg) != 0) /* once is enough */
            log_error("%s; trying again and again", e.msg);
        (void)snprintf(c->trouble, sizeof(c->trouble), "%s", e.msg);
        start_failed(c, e.msg);
        forget_process(c);
        start_later(c);
        return;
    }
    write_pid_file(c->pid);
    begin_connecting(c);
}

/* The pid of a containerd that an earlier svcd left running; 0: none. */
static pid_t running_pid(void) {
    AUTO_BUF struct buf text = BUF_INIT;
    char exe[64], target[64];
    uint64_t pid;

    if (read_file(PID_FILE, 32, &text, NULL) < 0 || !text.data)
        return 0;
    text.data[strcspn(text.data, "\n")] = '\0';
    if (parse_u64(text.data, INT32_MAX, &pid) < 0)
        return 0;
    (void)snprintf(exe, sizeof(exe), "/proc/%d/exe", (int)pid);
    ssize_t n = readlink(exe, target, sizeof(target) - 1);
    if (n < 0)
        return 0;
    target[n] = '\0';
    return !strcmp(target, PROGRAM) ? (pid_t)pid : 0; /* the number may be another's by now */
}

/* What is wrong with it was said when that one was started. */
static void watch_log(struct containerd *c) {
    AUTO(containerd_conf_free) struct containerd_conf conf;

    (void)containerd_conf_load(CONTAINERD_CONF_PATH, PROGRAM, &conf, NULL);
    containerd_log_watch(&c->log, c->loop, &conf);
}

static bool adopt(struct containerd *c) {
    c->pid = running_pid();
    if (c->pid == 0)
        return false;
    c->pidfd = (int)syscall(SYS_pidfd_open, c->pid, 0U);
    if (c->pidfd < 0 || watch(c) < 0) {
        forget_process(c);
        return false;
    }
    c->adopted = true;
    watch_log(c);
    begin_connecting(c);
    return true;
}

void containerd_start(struct containerd *c) {
    if (c->wanted && c->pid > 0)
        return;
    loop_remove(c->loop, &c->timer); /* nobody waits for the end of its pause */
    c->delay_ms = 0;
    c->start_ns = c->wanted ? c->start_ns : clock_ns();
    c->wanted = true;
    if (!adopt(c))
        start_process(c);
}

static void on_stop_timer(struct loop_source *s, void *data) {
    struct containerd *c = data;

    (void)s;
    log_error("containerd did not stop in %d ms: killing it", CONTAINERD_STOP_MS);
    signal_process(c, SIGKILL);
}

void containerd_stop(struct containerd *c) {
    c->wanted = false;
    loop_remove(c->loop, &c->timer);
    loop_remove(c->loop, &c->slow);
    if (c->pid <= 0) {
        c->on_ended(c->data);
        return;
    }
    signal_process(c, SIGTERM);
    (void)loop_set_timer(c->loop, &c->timer, CONTAINERD_STOP_MS, on_stop_timer, c);
}
