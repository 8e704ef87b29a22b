/* SPDX-License-Identifier: Apache-2.0 */
#include "svcd/containerd.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "lib/fdutil.h"
#include "lib/log.h"
#include "lib/spawn.h"
#include "lib/timeline.h"
#include "runtime-config/containerd_conf.h"
#include "svcd/acts.h"
#include "svcd/ctrd.h"

#define PROGRAM "/usr/bin/containerd"
#define SOCKET "/run/containerd/containerd.sock"
#define PID_FILE "/run/keelson/containerd.pid"
#define NAMESPACE "services.linuxkit"
#define CONNECT_PAUSE_MS 10
#define COMPLAIN_MS 30000
#define PING_TIMEOUT_MS 30000
#define PING_PAUSE_MS 1000
#define STOP_GRACE_MS 5000
#define DELAY_MIN_MS 100
#define DELAY_MAX_MS 10000

static void connect_soon(struct containerd *c, unsigned ms);
static void start_process(struct containerd *c);

void containerd_init(struct containerd *c, struct loop *l, containerd_fn *on_ready, containerd_fn *on_lost,
                     containerd_fn *on_ended, void *data) {
    *c = (struct containerd){
        .loop = l, .pidfd = -1, .on_ready = on_ready, .on_lost = on_lost, .on_ended = on_ended, .data = data};
}

static void stamp(const struct containerd *c, bool ok, const char *detail) {
    const struct timeline_stage s = {"containerd", STAGE_SYSTEM_INIT, c->start_ns, clock_ns(), ok, detail};

    (void)timeline_append(TIMELINE_PATH, &s); /* a full /run must not stop it */
}

static void drop_connection(struct containerd *c) {
    bool was_ready = c->ready;
    struct grpc *g = c->grpc;

    c->ready = false;
    c->grpc = NULL;
    grpc_close(g);
    if (was_ready)
        c->on_lost(c->data);
}

static void on_connection_lost(void *data) {
    struct containerd *c = data;

    drop_connection(c);
    if (c->pid > 0 && c->wanted)
        connect_soon(c, CONNECT_PAUSE_MS); /* it lives: perhaps only the connection broke */
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
        if (c->start_ns)
            stamp(c, true, c->adopted ? "adopted" : "");
        c->start_ns = 0; /* the boot's own start is in the timeline, later ones are not */
        c->on_ready(c->data);
    }
}

static void try_connect(struct containerd *c) {
    struct grpc *old = c->grpc; /* connected, but it never served */

    c->grpc = NULL;
    grpc_close(old);
    int r = grpc_connect(&c->grpc, c->loop, SOCKET, NAMESPACE, on_connection_lost, c);

    if (!r)
        r = ctrd_ping(c->grpc, PING_TIMEOUT_MS, on_pong, c);
    if (!r)
        return;
    grpc_close(c->grpc);
    c->grpc = NULL;
    if (!c->complained && clock_ms() - c->started_ms > COMPLAIN_MS) {
        c->complained = true;
        log_error("containerd does not answer on %s: %s; still trying", SOCKET, strerror(-r));
    }
    connect_soon(c, CONNECT_PAUSE_MS);
}

static void on_connect_timer(struct loop_source *s, void *data) {
    (void)s;
    try_connect(data);
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
    const struct spawn s = {.argv = conf.argv, .stdin_fd = -1, .stdout_fd = out, .stderr_fd = err, .setsid = true};
    return spawn(&s, &c->pid, &c->pidfd, e);
}

static void start_process(struct containerd *c) {
    struct err e = {0};

    c->adopted = c->complained = false;
    c->started_ms = clock_ms();
    int r = spawn_configured(c, &e);
    if (!r && (r = watch(c)) < 0) {
        (void)err_errno(&e, r, "could not watch %s", PROGRAM);
        signal_process(c, SIGKILL);
        (void)waitpid(c->pid, NULL, 0);
    }
    if (r < 0) {
        log_error("%s", e.msg);
        forget_process(c);
        start_later(c);
        return;
    }
    write_pid_file(c->pid);
    connect_soon(c, CONNECT_PAUSE_MS);
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
    c->started_ms = clock_ms();
    try_connect(c);
    return true;
}

void containerd_start(struct containerd *c) {
    if (c->wanted)
        return;
    c->wanted = true;
    c->start_ns = clock_ns();
    if (!adopt(c))
        start_process(c);
}

static void on_stop_timer(struct loop_source *s, void *data) {
    struct containerd *c = data;

    (void)s;
    log_error("containerd did not stop in %d ms: killing it", STOP_GRACE_MS);
    signal_process(c, SIGKILL);
}

void containerd_stop(struct containerd *c) {
    c->wanted = false;
    loop_remove(c->loop, &c->timer);
    if (c->pid <= 0) {
        c->on_ended(c->data);
        return;
    }
    signal_process(c, SIGTERM);
    (void)loop_set_timer(c->loop, &c->timer, STOP_GRACE_MS, on_stop_timer, c);
}
