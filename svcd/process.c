/* SPDX-License-Identifier: Apache-2.0 */
#include "svcd/process.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/fdutil.h"
#include "lib/log.h"
#include "svcd/acts.h"
#include "svcd/cgroup.h"
#include "svcd/deaf.h"
#include "svcd/shim.h"
#include "svcd/worker.h"

#define STAT_MAX ((size_t)4096)

/* False: it is gone, and was waited for. */
static bool send_signal(int pidfd, int signo) {
    return syscall(SYS_pidfd_send_signal, pidfd, signo, NULL, 0U) == 0;
}

/* A container may make groups below the one that it was given, and go there. */
static bool is_within(const char *group, const char *outer) {
    size_t len = strlen(outer);

    return strncmp(group, outer, len) == 0 && (group[len] == '/' || group[len] == '\0');
}

bool process_is_there(const struct service *s) {
    AUTO_FREE char *group = s->pid ? cgroup_of("/proc", (pid_t)s->pid) : NULL;

    return group && s->cgroup && is_within(group, s->cgroup);
}

/* --- watching --- */

static void on_overdue(struct loop_source *src, void *data) {
    struct service *s = data;
    bool stops = s->life == LIFE_STOPPING || s->life == LIFE_KILLING;

    (void)src;
    if (s->life != LIFE_RUNNING && !stops)
        return;
    bool freed = process_free(s);
    if (freed && stops)
        service_not_found(s); /* where it should run, containerd's answer to the wait leads on */
    else if (!freed && s->doubt) {
        log_warning("service %s: its process is gone, and containerd has not said so", s->name);
        s->doubt(s, s->data);
    }
}

/* Without containerd nobody else tells. */
static void on_gone(struct loop_source *src, uint32_t events, void *data) {
    struct service *s = data;

    (void)events;
    loop_remove(s->loop, src);
    if (s->life == LIFE_LONE_STOPPING || s->life == LIFE_LONE_KILLING)
        service_event(s, LIFE_EV_EXIT);
    else if (s->told && (s->life == LIFE_STOPPING || s->life == LIFE_KILLING))
        service_event(s, LIFE_EV_LOST); /* svcd ends, and does not wait for what containerd says */
    else
        (void)loop_set_timer(s->loop, &s->overdue, EXIT_OVERDUE_MS, on_overdue, s); /* else the next call tells */
}

static void close_process(struct service *s) {
    loop_remove(s->loop, &s->gone);
    loop_remove(s->loop, &s->overdue);
    if (s->pidfd >= 0)
        (void)close(s->pidfd);
    s->pidfd = -1;
}

void process_forget(struct service *s) {
    close_process(s);
    worker_stop(s);
}

/* containerd tells its end; the pidfd tells when containerd should have. */
static void open_process(struct service *s) {
    s->pidfd = (int)syscall(SYS_pidfd_open, (pid_t)s->pid, 0U);
    if (s->pidfd >= 0)
        (void)loop_add_fd(s->loop, &s->gone, s->pidfd, EPOLLIN, on_gone, s);
}

void process_watch(struct service *s) {
    process_forget(s);
    s->own_pids = is_first_of_pids("/proc", (pid_t)s->pid);
    if (!s->cgroup) /* once for each life, at best before it runs: then it may go to anybody's */
        s->cgroup = cgroup_of("/proc", (pid_t)s->pid);
    s->oom_kills = s->cgroup ? cgroup_oom_kills(CGROUP_ROOT, s->cgroup) : 0;
    s->oom_seen_ms = 0;
    open_process(s);
}

/* Opened first: whose group is right then is whom the descriptor is of. */
int process_watch_again(struct service *s) {
    if (s->pidfd >= 0)
        return 0;
    if (s->pid)
        open_process(s);
    if (s->pidfd >= 0 && process_is_there(s)) {
        s->own_pids = is_first_of_pids("/proc", (pid_t)s->pid);
        return 0;
    }
    close_process(s);
    return -ESRCH;
}

bool process_is_gone(const struct service *s) {
    struct pollfd p = {.fd = s->pidfd, .events = POLLIN};

    return s->pidfd < 0 || poll(&p, 1, 0) > 0;
}

/* --- signals --- */

int process_signal(struct service *s, int signo) {
    int r = process_watch_again(s);

    if (r < 0)
        return r;
    return syscall(SYS_pidfd_send_signal, s->pidfd, signo, NULL, 0U) < 0 ? -errno : 0;
}

int process_stop(const struct service *s) {
    const int signo = s->policy.stop_signal;

    if (s->pidfd < 0)
        return -ESRCH;
    bool deaf = s->cgroup && signal_is_dropped("/proc", (pid_t)s->pid, signo);
    int others = deaf ? cgroup_signal_beside(CGROUP_ROOT, s->cgroup, (pid_t)s->pid, signo) : 0;
    if (others != 0)
        return others < 0 ? others : 0;
    if (deaf)
        log_notice("service %s: its only process does not handle signal %d: SIGKILL", s->name, signo);
    (void)send_signal(s->pidfd, deaf ? SIGKILL : signo); /* one that has just ended will be told of */
    return 0;
}

/* Its group may be another's, too. What is paused under version 1 has to be woken, which the runtime does. */
static int kill_first(const struct service *s) {
    if (s->pidfd < 0 || !send_signal(s->pidfd, SIGKILL))
        return -ESRCH;
    return cgroup_is_v2(CGROUP_ROOT) ? 0 : -ENOTSUP;
}

int process_kill(const struct service *s) {
    if (s->own_pids)
        return kill_first(s);
    int r = s->cgroup ? cgroup_kill(CGROUP_ROOT, s->cgroup) : -ENOENT;

    if (s->pidfd >= 0)
        (void)send_signal(s->pidfd, SIGKILL); /* it may be in another group by now */
    return r;
}

void process_kill_led_by(const struct service *s, pid_t leader) {
    AUTO_FREE char *group = leader > 1 ? cgroup_of("/proc", leader) : NULL;

    if (group && s->cgroup && is_within(group, s->cgroup) && getpgid(leader) == leader)
        (void)kill(-leader, SIGKILL);
}

/* --- its shim --- */

/* The parent of a process, if it is a zombie and its number therefore still its own; 0. */
static pid_t parent_of_zombie(int pidfd, pid_t pid) {
    AUTO_BUF struct buf text = BUF_INIT;
    char path[64], state = 0;
    int parent = 0;

    (void)snprintf(path, sizeof(path), "/proc/%d/stat", pid);
    if (pidfd < 0 || read_file(path, STAT_MAX, &text, NULL) < 0 || !text.data)
        return 0;
    const char *fields = strrchr(text.data, ')'); /* its name may hold anything */
    if (!fields || sscanf(fields, ") %c %d", &state, &parent) != 2 || state != 'Z')
        return 0;
    return send_signal(pidfd, 0) ? parent : 0;
}

static bool is_shim(pid_t pid) {
    AUTO_BUF struct buf text = BUF_INIT;
    char path[64];

    (void)snprintf(path, sizeof(path), "/proc/%d/comm", pid);
    return read_file(path, STAT_MAX, &text, NULL) == 0 && text.data && !strcmp(text.data, SHIM_COMM "\n");
}

/* That the zombie's parent is the same afterwards says that the descriptor is this parent's. */
bool process_free(const struct service *s) {
    pid_t shim = parent_of_zombie(s->pidfd, (pid_t)s->pid);
    AUTO_CLOSE int fd = shim > 1 ? (int)syscall(SYS_pidfd_open, shim, 0U) : -1;

    if (fd < 0 || !is_shim(shim) || parent_of_zombie(s->pidfd, (pid_t)s->pid) != shim)
        return false;
    log_error("service %s: its shim (pid %d) does not notice its end: killing the shim", s->name, shim);
    return send_signal(fd, SIGKILL);
}
