/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `runc run` where nothing has to happen between create and start, else create, give interfaces and bind namespaces,
 * start, wait, delete. The container's process is an orphan of runc create; as a subreaper this program is who waits
 * for it.
 */
#include "svcd/onboot.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "lib/fdutil.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "lib/spawn.h"
#include "lib/timeline.h"
#include "memlogd/wire.h"
#include "runtime-config/runtime.h"
#include "svcd/attend.h"
#include "svcd/logsink.h"
#include "svcd/printable.h"

#define RUNC "/usr/bin/runc"
#define SHOW_MAX ((size_t)64 << 10) /* the last bytes of each log, shown on the console */
#define KILL_GRACE_MS 5000

const struct oneshot_dir oneshot_onboot = {"/containers/onboot", "/run/log/onboot", "/var/log/onboot", "onboot",
                                           "010-onboot"};
const struct oneshot_dir oneshot_onshutdown = {"/containers/onshutdown", "/run/log/shutdown", "/var/log/shutdown",
                                               "shutdown", NULL};

struct oneshot {
    const struct oneshot_dir *dir;
    const struct cmdline *cmdline;
    char *bundle, *id, *stderr_path, *stdout_path;
    int stderr_fd, stdout_fd;
    bool in_files; /* the logs; else memlogd has them */
    struct runtime runtime;
    uint64_t deadline_ms; /* on clock_ms(); 0: none */
};

static void announce(const struct oneshot *o, const char *stage) {
    if (o->cmdline->runc_debug)
        log_notice("%s: %s", o->id, stage);
}

/*
 * One of the two outputs: into its log; with runc_console onto the console, and through a pipe into the log as well if
 * somebody reads that pipe until the container ends.
 */
static int open_output(const struct oneshot *o, bool until_end, int log_fd, struct tee *t, int *child_fd) {
    int fds[2];

    *t = (struct tee){.from = -1, .log = log_fd, .console = STDERR_FILENO};
    *child_fd = -1;
    if (!o->cmdline->runc_console) {
        *child_fd = fcntl(log_fd, F_DUPFD_CLOEXEC, 3);
        return *child_fd < 0 ? -errno : 0;
    }
    if (!until_end)
        return 0;
    if (pipe2(fds, O_CLOEXEC) < 0 || fcntl(fds[0], F_SETFL, O_NONBLOCK) < 0)
        return -errno;
    t->from = fds[0];
    *child_fd = fds[1];
    return 0;
}

static int reap(pid_t pid, int *status) {
    while (waitpid(pid, status, 0) < 0)
        if (errno != EINTR)
            return -errno;
    return 0;
}

/* Past its deadline: everything in the container is killed, and then runc if it does not notice. */
static void kill_late(const struct oneshot *o, pid_t runc_pid, int pidfd) {
    struct spawn s = SPAWN_INIT;
    const struct attend grace = {
        .who = o->id, .tees = {{-1, -1, -1}, {-1, -1, -1}}, .deadline_ms = clock_ms() + KILL_GRACE_MS};
    int status;

    s.argv = (const char *const[]){RUNC, "kill", "--all", o->id, "KILL", NULL};
    s.stdout_fd = o->stdout_fd;
    s.stderr_fd = o->stderr_fd;
    (void)spawn_wait(&s, KILL_GRACE_MS, &status, NULL);
    if (attend_end(&grace, pidfd) < 0)
        (void)kill(runc_pid, SIGKILL);
    s.argv = (const char *const[]){RUNC, "delete", "--force", o->id, NULL};
    (void)spawn_wait(&s, KILL_GRACE_MS, &status, NULL);
}

static int attend_to(const struct oneshot *o, const struct attend *a, pid_t pid, int pidfd, int *status,
                     struct err *e) {
    int r = attend_end(a, pidfd);
    bool late = r == -ETIMEDOUT;

    if (r < 0)
        kill_late(o, pid, pidfd);
    int reaped = reap(pid, status);
    if (late)
        return err_set(e, r, "it was killed: it took longer than its deadline of %llu ms",
                       (unsigned long long)o->runtime.deadline_ms);
    if (r < 0 || reaped < 0)
        return err_errno(e, r < 0 ? r : reaped, "could not wait for %s", o->id);
    return 0;
}

static void close_open(int fd) {
    if (fd >= 0)
        (void)close(fd);
}

static int runc(const struct oneshot *o, const char *const *args, int *status, struct err *e) {
    const char *argv[16] = {RUNC};
    size_t n = 1;
    struct spawn s = SPAWN_INIT;
    struct attend a = {.who = o->id, .tees = {{-1, -1, -1}, {-1, -1, -1}}, .deadline_ms = o->deadline_ms};
    pid_t pid;
    AUTO_CLOSE int pidfd = -1;

    bool until_end = !strcmp(args[0], "run");
    if (o->cmdline->runc_debug)
        argv[n++] = "--debug";
    for (; *args && n + 1 < ARRAY_SIZE(argv); args++)
        argv[n++] = *args;
    s.argv = argv;
    int r = open_output(o, until_end, o->stdout_fd, &a.tees[0], &s.stdout_fd);
    if (!r)
        r = open_output(o, until_end, o->stderr_fd, &a.tees[1], &s.stderr_fd);
    if (r < 0)
        (void)err_errno(e, r, "could not run %s", o->id);
    else
        r = spawn(&s, &pid, &pidfd, e);
    close_open(s.stdout_fd); /* the child's ends: with ours open the pipes would have no end */
    close_open(s.stderr_fd);
    if (!r)
        r = attend_to(o, &a, pid, pidfd, status, e);
    close_open(a.tees[0].from);
    close_open(a.tees[1].from);
    return r;
}

/* A runc command that must succeed. */
static int runc_step(const struct oneshot *o, const char *const *args, struct err *e) {
    char reason[96];
    int status;
    int r = runc(o, args, &status, e);

    if (!r && status != 0)
        r = err_set(e, -EIO, "runc %s %s", args[0], exit_reason(status, reason, sizeof(reason)));
    return r;
}

static int read_pid(const char *path, pid_t *pid, struct err *e) {
    AUTO_BUF struct buf text = BUF_INIT;
    uint64_t n;
    int r = read_file(path, 32, &text, e);

    if (r < 0)
        return r;
    if (!text.data || parse_u64(text.data, INT32_MAX, &n) < 0)
        return err_set(e, -EINVAL, "could not read a pid from %s", path);
    *pid = (pid_t)n;
    return 0;
}

static int wait_container(const struct oneshot *o, pid_t pid, int *status, struct err *e) {
    const struct attend a = {.who = o->id, .tees = {{-1, -1, -1}, {-1, -1, -1}}, .deadline_ms = o->deadline_ms};

    AUTO_CLOSE int pidfd = (int)syscall(SYS_pidfd_open, pid, 0U);
    if (pidfd < 0)
        return err_errno(e, -errno, "could not watch %s", o->id);
    return attend_to(o, &a, pid, pidfd, status, e);
}

static int create_and_start(const struct oneshot *o, int *status, struct err *e) {
    AUTO_FREE char *pid_file = NULL;
    pid_t pid = 0;

    if (asprintf(&pid_file, "/run/keelson/%s.pid", o->id) < 0) {
        pid_file = NULL;
        return err_errno(e, -ENOMEM, "could not run %s", o->id);
    }
    announce(o, "creating");
    int r =
        runc_step(o, (const char *const[]){"create", "--bundle", o->bundle, "--pid-file", pid_file, o->id, NULL}, e);
    if (!r)
        r = read_pid(pid_file, &pid, e);
    (void)unlink(pid_file);
    if (r < 0)
        return r;
    announce(o, "preparing");
    r = runtime_prepare_process(&o->runtime, pid, NULL, e);
    if (!r) {
        announce(o, "starting");
        r = runc_step(o, (const char *const[]){"start", o->id, NULL}, e);
    }
    announce(o, "waiting");
    if (!r)
        r = wait_container(o, pid, status, e);
    announce(o, "cleaning up");
    int deleted = runc_step(o, (const char *const[]){"delete", "--force", o->id, NULL}, r < 0 ? NULL : e);
    return r < 0 ? r : deleted;
}

static int run_container(const struct oneshot *o, int *status, struct err *e) {
    if (runtime_wants_process(&o->runtime))
        return create_and_start(o, status, e);
    announce(o, "creating, starting and waiting");
    return runc(o, (const char *const[]){"run", "--bundle", o->bundle, o->id, NULL}, status, e);
}

/* --- logs --- */

/* A container's words must not drive the terminal of whoever watches the boot. */
static void show_log(const char *path) {
    AUTO_BUF struct buf text = BUF_INIT;

    AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
    char *room = fd < 0 ? NULL : buf_reserve(&text, SHOW_MAX);
    off_t size = fd < 0 ? 0 : lseek(fd, 0, SEEK_END);
    off_t skip = size > (off_t)SHOW_MAX ? size - (off_t)SHOW_MAX : 0;
    if (skip > 0)
        log_notice("the first %lld bytes of %s are not shown", (long long)skip, path);
    ssize_t n = room ? pread(fd, room, SHOW_MAX, skip) : 0;
    if (n <= 0)
        return;
    make_lines_printable(room, (size_t)n);
    (void)write_full(STDERR_FILENO, room, (size_t)n); /* a console that takes no more does without */
    if (room[n - 1] != '\n')
        (void)write_full(STDERR_FILENO, "\n", 1);
}

static int open_log(const char *path, int *fd, struct err *e) {
    *fd = open_log_file(path, e);
    return *fd < 0 ? *fd : 0;
}

/* False: there is no memlogd, or it does not take them. */
static bool log_to_memlogd(struct oneshot *o) {
    AUTO_FREE char *out = NULL;
    struct err e = {0};

    if (!logsink_present(WIRE_LOG_SOCKET))
        return false;
    if (asprintf(&out, "%s.out", o->id) < 0) {
        out = NULL;
        return false;
    }
    int r = logsink_pipe(WIRE_LOG_SOCKET, o->id, &o->stderr_fd, &e);
    if (!r)
        r = logsink_pipe(WIRE_LOG_SOCKET, out, &o->stdout_fd, &e);
    if (!r)
        return true;
    log_error("%s; its lines go to %s", e.msg, o->dir->log_dir);
    if (o->stderr_fd >= 0)
        (void)close(o->stderr_fd);
    o->stderr_fd = -1;
    return false;
}

static int open_logs(struct oneshot *o, struct err *e) {
    if (log_to_memlogd(o))
        return 0;
    o->in_files = true;
    int r = open_log(o->stderr_path, &o->stderr_fd, e);
    return r < 0 ? r : open_log(o->stdout_path, &o->stdout_fd, e);
}

static int name_all(struct oneshot *o, const char *name, struct err *e) {
    o->bundle = path_join(o->dir->dir, name);
    if (asprintf(&o->id, "%s.%s", o->dir->prefix, name) < 0)
        o->id = NULL;
    if (!o->id || asprintf(&o->stderr_path, "%s/%s.log", o->dir->log_dir, o->id) < 0)
        o->stderr_path = NULL;
    if (!o->id || asprintf(&o->stdout_path, "%s/%s.out.log", o->dir->log_dir, o->id) < 0)
        o->stdout_path = NULL;
    return o->bundle && o->stderr_path && o->stdout_path ? 0 : err_errno(e, -ENOMEM, "could not run %s", name);
}

static void release(struct oneshot *o) {
    if (o->stderr_fd >= 0)
        (void)close(o->stderr_fd);
    if (o->stdout_fd >= 0)
        (void)close(o->stdout_fd);
    runtime_free(&o->runtime);
    free(o->bundle);
    free(o->id);
    free(o->stderr_path);
    free(o->stdout_path);
}

static int prepare(struct oneshot *o, const char *name, struct err *e) {
    AUTO_FREE char *runtime_json = NULL;
    int r = name_all(o, name, e);

    if (!r)
        r = open_logs(o, e);
    if (r < 0)
        return r;
    runtime_json = path_join(o->bundle, "runtime.json");
    if (!runtime_json)
        return err_errno(e, -ENOMEM, "could not run %s", name);
    r = runtime_load(runtime_json, &o->runtime, e);
    return r < 0 ? r : runtime_prepare(&o->runtime, o->bundle, e);
}

/* What was mounted for a container that fails stays, for whoever looks why. */
static int run_one(const struct oneshot_dir *d, const char *name, const struct cmdline *c, enum onfail *onfail,
                   struct err *e) {
    struct oneshot o = {.dir = d, .cmdline = c, .stderr_fd = -1, .stdout_fd = -1};
    char reason[96];
    int status = 0;
    int r = prepare(&o, name, e);

    if (o.runtime.deadline_ms)
        o.deadline_ms = clock_ms() + o.runtime.deadline_ms;
    if (!r)
        r = run_container(&o, &status, e);
    if (!r && status != 0)
        r = err_set(e, -EIO, "it %s", exit_reason(status, reason, sizeof(reason)));
    if (o.in_files && o.stdout_path && o.stderr_path && !c->runc_console) {
        show_log(o.stdout_path);
        show_log(o.stderr_path);
    }
    if (!r) {
        runtime_unmount(&o.runtime, o.bundle);
        announce(&o, "complete");
    }
    *onfail = o.runtime.onfail;
    release(&o);
    return r;
}

static void stamp(const struct oneshot_dir *d, const char *name, uint64_t start, bool ok, const char *detail) {
    char stage[128];

    if (!d->stage)
        return;
    (void)snprintf(stage, sizeof(stage), "%s/%s", d->prefix, name);
    const struct timeline_stage s = {stage, d->stage, start, clock_ns(), ok, detail};
    (void)timeline_append(TIMELINE_PATH, &s);
}

static void make_log_dir(const struct oneshot_dir *d) {
    struct err e = {0};

    if (mkdir_p(d->log_dir, 0755, &e) < 0)
        log_error("%s", e.msg);
    if (symlink(d->log_dir, d->link) < 0 && errno != EEXIST)
        log_error("could not link %s: %s", d->link, strerror(errno));
}

/* PID 1's signals for it, as busybox's init has them. False: the next container runs. */
static bool give_up(const char *name, enum onfail onfail) {
    static const int signals[] = {[ONFAIL_REBOOT] = SIGTERM, [ONFAIL_POWEROFF] = SIGUSR2, [ONFAIL_HALT] = SIGUSR1};

    if (onfail == ONFAIL_CONTINUE)
        return false;
    log_error("%s, as %s asks for when it fails", onfail_name(onfail), name);
    if (kill(1, signals[onfail]) < 0)
        log_error("could not signal PID 1: %s", strerror(errno));
    return true;
}

unsigned oneshot_run(const struct oneshot_dir *d, const struct cmdline *c) {
    AUTO_NAMES struct names names = {0};
    struct err e = {0};
    unsigned failures = 0;

    int r = list_dir(d->dir, &names, &e);
    if (r == -ENOENT)
        return 0;
    if (r < 0) {
        log_error("%s", e.msg);
        return 1;
    }
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1);
    make_log_dir(d);
    for (size_t i = 0; i < names.len; i++) {
        uint64_t start = clock_ns();
        e.msg[0] = '\0';
        enum onfail onfail = ONFAIL_CONTINUE;
        r = run_one(d, names.v[i], c, &onfail, &e);
        if (r < 0) {
            failures++;
            log_error("%s container %s failed: %s", d->prefix, names.v[i], e.msg);
        }
        stamp(d, names.v[i], start, r == 0, r < 0 ? e.msg : "");
        if (r < 0 && give_up(names.v[i], onfail))
            break;
    }
    return failures;
}
