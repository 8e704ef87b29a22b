/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One container through runc. The process of a created container is an orphan of `runc create`; as a subreaper this
 * program is who waits for it. Of one that was run by `runc run`, runc tells the exit status, which for a signal is 128
 * and its number.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "lib/fdutil.h"
#include "lib/json.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "lib/spawn.h"
#include "svcd/onboot_priv.h"
#include "svcd/spec.h"

#define RUNC_LOG_MAX ((size_t)64 << 10)
#define RUNC_ARGS_MAX 16
#define SIGNAL_BASE 128

void oneshot_announce(const struct oneshot *o, const char *stage) {
    if (o->cmdline->runc_debug)
        log_notice("%s: %s", o->label, stage);
}

static struct spawn runc_spawn(const struct oneshot *o, const char *const *argv) {
    struct spawn s = SPAWN_INIT;

    s.argv = argv;
    s.stdout_fd = o->out.child_fd;
    s.stderr_fd = o->err.child_fd;
    return s;
}

static void kill_container(struct oneshot *o) {
    struct spawn s = runc_spawn(o, (const char *const[]){o->sys->runc, "kill", "--all", o->name, "KILL", NULL});
    int status;

    (void)spawn_wait(&s, ONESHOT_KILL_GRACE_MS, &status, NULL);
}

/*
 * Into a file of its own runc writes why it failed itself; without it nobody could tell that from a container's end
 * with the same status. With --debug there would be much else, and that belongs to the console.
 */
static char *runc_log_path(const struct oneshot *o) {
    char *path;

    if (o->cmdline->runc_debug)
        return NULL;
    return asprintf(&path, "%s/%s.runc.json", o->sys->run_dir, o->label) < 0 ? NULL : path;
}

/* The last error in it. False: there is none. */
static bool read_runc_error(const char *path, struct err *e) {
    AUTO_BUF struct buf text = BUF_INIT;
    bool found = false;
    char *line;

    if (read_file(path, RUNC_LOG_MAX, &text, NULL) < 0)
        return false;
    for (char *pos = text.data; (line = next_line(&pos));) {
        AUTO_JSON json_t *entry = json_loads(line, 0, NULL);
        const char *level = json_string_value(json_object_get(entry, "level"));
        const char *msg = json_string_value(json_object_get(entry, "msg"));
        if (level && msg && (!strcmp(level, "error") || !strcmp(level, "fatal"))) {
            (void)err_set(e, -EIO, "%s", msg);
            found = true;
        }
    }
    return found;
}

static void runc_argv(const struct oneshot *o, const char *log, const char *const *args,
                      const char *argv[RUNC_ARGS_MAX]) {
    size_t n = 0;

    argv[n++] = o->sys->runc;
    if (o->cmdline->runc_debug)
        argv[n++] = "--debug";
    if (log) {
        argv[n++] = "--log";
        argv[n++] = log;
        argv[n++] = "--log-format";
        argv[n++] = "json";
    }
    while (*args && n + 1 < RUNC_ARGS_MAX)
        argv[n++] = *args++;
    argv[n] = NULL;
}

/* 0: it has ended, with *status, and has not said that it was its own fault. */
static int runc(struct oneshot *o, const char *const *args, int *status, struct err *e) {
    AUTO_FREE char *log = runc_log_path(o);
    AUTO_CLOSE int pidfd = -1;
    const char *argv[RUNC_ARGS_MAX];
    uint64_t start = clock_ns();
    pid_t pid;

    runc_argv(o, log, args, argv);
    const struct spawn s = runc_spawn(o, argv);
    int r = spawn(&s, &pid, &pidfd, e);
    if (!r)
        r = oneshot_attend(o, pid, pidfd, kill_container, status, e);
    o->runc_ns += clock_ns() - start;
    if (!r && *status != 0 && log && read_runc_error(log, e))
        r = -EIO;
    if (log)
        (void)unlink(log);
    return r;
}

/* A runc command that must succeed. */
static int runc_step(struct oneshot *o, const char *const *args, struct err *e) {
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

static int wait_container(struct oneshot *o, pid_t pid, int *status, struct err *e) {
    uint64_t start = clock_ns();
    AUTO_CLOSE int pidfd = (int)syscall(SYS_pidfd_open, pid, 0U);

    if (pidfd < 0)
        return err_errno(e, -errno, "could not watch %s", o->label);
    int r = oneshot_attend(o, pid, pidfd, kill_container, status, e);
    o->runc_ns += clock_ns() - start;
    return r;
}

static int create(struct oneshot *o, pid_t *pid, struct err *e) {
    AUTO_FREE char *pid_file = NULL;

    if (asprintf(&pid_file, "%s/%s.pid", o->sys->run_dir, o->label) < 0) {
        pid_file = NULL;
        return err_errno(e, -ENOMEM, "could not run %s", o->label);
    }
    oneshot_announce(o, "creating");
    int r =
        runc_step(o, (const char *const[]){"create", "--bundle", o->bundle, "--pid-file", pid_file, o->name, NULL}, e);
    if (!r)
        r = read_pid(pid_file, pid, e);
    (void)unlink(pid_file);
    return r;
}

/* The deadline was the container's: what it leaves is cleaned up in any case. */
static int clean_up(struct oneshot *o, struct err *e) {
    o->deadline_ms = 0;
    oneshot_announce(o, "cleaning up");
    return runc_step(o, (const char *const[]){"delete", "--force", o->name, NULL}, e);
}

static int create_and_start(struct oneshot *o, int *status, struct err *e) {
    pid_t pid = 0;
    int r = create(o, &pid, e);

    if (r < 0 && !o->late)
        return r;
    if (!r) {
        oneshot_announce(o, "preparing");
        r = runtime_prepare_process(&o->runtime, pid, o->links, e);
    }
    if (!r) {
        oneshot_announce(o, "starting");
        r = runc_step(o, (const char *const[]){"start", o->name, NULL}, e);
    }
    if (!r) {
        oneshot_announce(o, "waiting");
        r = wait_container(o, pid, status, e);
    }
    int deleted = clean_up(o, r < 0 ? NULL : e);
    return r < 0 ? r : deleted;
}

static int run(struct oneshot *o, int *status, struct err *e) {
    if (runtime_wants_process(&o->runtime))
        return create_and_start(o, status, e);
    oneshot_announce(o, "creating, starting and waiting");
    int r = runc(o, (const char *const[]){"run", "--bundle", o->bundle, o->name, NULL}, status, e);
    if (o->late)
        (void)clean_up(o, NULL);
    return r;
}

static void classify(struct oneshot_result *result, int status) {
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : SIGNAL_BASE + WTERMSIG(status);

    if (code == 0) {
        result->outcome = OUTCOME_OK;
    } else if (code > SIGNAL_BASE && code < SIGNAL_BASE + NSIG) {
        result->outcome = OUTCOME_SIGNAL;
        result->number = code - SIGNAL_BASE;
        (void)snprintf(result->error, sizeof(result->error), "it was killed by signal %d (%s)", result->number,
                       strsignal(result->number));
    } else {
        result->outcome = OUTCOME_EXIT;
        result->number = code;
        (void)snprintf(result->error, sizeof(result->error), "it exited with status %d", code);
    }
}

void oneshot_run_container(struct oneshot *o, struct oneshot_result *result) {
    struct err e = {0}, why = {0};
    int status = 0;
    int r = run(o, &status, &e);

    if (!r)
        classify(result, status);
    else
        result->outcome = o->late ? OUTCOME_DEADLINE : OUTCOME_ERROR;
    /* runc's words do not name the file; with --debug its failure looks like the container's. */
    bool maybe_bundle = result->outcome == OUTCOME_ERROR || (result->outcome == OUTCOME_EXIT && result->number == 1);
    if (maybe_bundle && spec_check(o->bundle, &why) < 0) {
        result->outcome = OUTCOME_ERROR;
        result->number = 0;
        e = why;
        r = why.code;
    }
    if (r < 0)
        (void)snprintf(result->error, sizeof(result->error), "%s", e.msg);
}
