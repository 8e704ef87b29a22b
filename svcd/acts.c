/* SPDX-License-Identifier: Apache-2.0 */
#include "svcd/acts.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/fdutil.h"
#include "lib/log.h"
#include "lib/timeline.h"
#include "memlogd/wire.h"
#include "svcd/cgroup.h"
#include "svcd/ctrd.h"
#include "svcd/leftover.h"
#include "svcd/logbound.h"
#include "svcd/logsink.h"
#include "svcd/probe.h"
#include "svcd/process.h"
#include "svcd/spec.h"
#include "svcd/stage.h"
#include "svcd/worker.h"

#define OOM_FRESH_MS 5000 /* between what the kernel did and the end of the service by it, both told by containerd */

/* A call under way: whose it is, and of which life. */
struct ticket {
    struct service *s;
    unsigned generation;
    enum life life; /* the state that made it */
};

static struct ticket *ticket_new(struct service *s) {
    struct ticket *t = malloc(sizeof(*t));

    if (t)
        *t = (struct ticket){s, s->generation, s->life};
    if (life_is_being_made(s->life))
        s->call = t;
    return t;
}

static void ticket_free(struct ticket *t) {
    if (t && t->s->call == t)
        t->s->call = NULL;
    free(t);
}

/* False: the answer is to a call of a state, or a life, that is over. Frees the ticket. */
static bool ticket_take(struct ticket *t, bool of_this_life_only, struct service **s) {
    bool current = t->generation == t->s->generation && (of_this_life_only || t->life == t->s->life);

    *s = t->s;
    ticket_free(t);
    return current;
}

/* A start that is given up while containerd is at it: what that makes later would be nobody's. */
static void give_up_call(const struct service *s) {
    if (s->call && *s->connection)
        grpc_give_up(*s->connection, s->call);
}

/* A part of its start, that began with the state that it is in. */
static void stamp_part(const struct service *s, const char *stage) {
    char name[SERVICE_NAME_MAX + 16], parent[SERVICE_NAME_MAX + 16];

    (void)snprintf(parent, sizeof(parent), "services/%s", s->name);
    (void)snprintf(name, sizeof(name), "%s %s", s->name, stage);
    const struct timeline_stage t = {name, parent, s->entered_ns, clock_ns(), true, "", NULL};
    (void)timeline_append(TIMELINE_PATH, &t); /* a full /run must not stop a service */
}

/* Only the boot's own start is part of the timeline. */
static bool first_start(const struct service *s) {
    return s->asked_ns != 0;
}

void acts_stamp_failure(struct service *s) {
    if (first_start(s))
        stage_stamp(TIMELINE_PATH, s, s->asked_ns, false, s->error);
    s->asked_ns = 0;
}

static const char *verb(enum life l) {
    switch (l) {
    case LIFE_ADOPT:
        return "look for its task";
    case LIFE_CLEAN_KILL:
    case LIFE_CLEAN_TASK:
    case LIFE_CLEAN_CONTAINER:
        return "remove what an earlier run left";
    case LIFE_CREATE:
        return "create its container";
    case LIFE_CREATE_TASK:
        return "create its task";
    case LIFE_ATTACH:
        return "prepare its process";
    case LIFE_START:
        return "start its task";
    default:
        return "go on";
    }
}

/* --- answers --- */

static void doubt(struct service *s, const char *why) {
    log_warning("service %s: %s", s->name, why);
    if (s->doubt)
        s->doubt(s, s->data);
}

static void another_life(struct service *s) {
    free(s->cgroup);
    s->cgroup = NULL;
}

static void task_created(struct service *s, const struct grpc_result *r) {
    another_life(s);
    if (ctrd_created_pid(r, &s->pid) < 0) {
        service_fail(s, "create its task", "containerd's answer could not be read");
        return;
    }
    if (first_start(s))
        stamp_part(s, "created");
    service_event(s, LIFE_EV_OK);
}

static void task_started(struct service *s) {
    if (first_start(s)) {
        stamp_part(s, "started");
        stage_stamp(TIMELINE_PATH, s, s->asked_ns, true, "");
        s->asked_ns = 0;
    }
    service_event(s, LIFE_EV_OK);
}

/* A child of it may have been killed long before, and said so: that is not why it ends now. */
static bool killed_for_memory(const struct service *s, uint32_t status) {
    if (status != 128 + SIGKILL || !s->cgroup)
        return false;
    return cgroup_oom_kills(CGROUP_ROOT, s->cgroup) > s->oom_kills ||
           (s->oom_seen_ms && clock_ms() - s->oom_seen_ms < OOM_FRESH_MS);
}

void acts_out_of_memory(struct service *s) {
    if (!s->cgroup)
        return;
    s->oom_kills = cgroup_oom_kills(CGROUP_ROOT, s->cgroup);
    s->oom_seen_ms = clock_ms();
}

/* One that ended while nobody looked has a status all the same. */
static void task_looked_at(struct service *s, const struct grpc_result *r) {
    struct ctrd_process p;

    if (ctrd_process(r, &p) < 0) {
        service_fail(s, "look for its task", "containerd's answer could not be read");
        return;
    }
    bool known = p.status >= CTRD_CREATED && p.status <= CTRD_PAUSING;
    if (known && s->pid != p.pid) { /* somebody else has begun it */
        another_life(s);
        s->started_ms = 0;
    }
    if (known)
        s->pid = p.pid;
    s->paused = p.status == CTRD_PAUSED || p.status == CTRD_PAUSING;
    bool runs = p.status == CTRD_RUNNING || s->paused;
    /* Its shim hangs: what is to stop need not wait for that. */
    bool hangs = !known && !s->record.wanted && process_is_there(s);
    if (runs || hangs)
        service_event(s, LIFE_EV_OK);
    else if (p.status == CTRD_STOPPED && !s->returns)
        service_exited(s, p.exit_status, killed_for_memory(s, p.exit_status));
    else if (known)
        service_event(s, LIFE_EV_EXIT); /* it was never started, or ended by us: no end of a life of its own */
    else /* containerd has two seconds for its shim, and then says this: it may well run */
        service_fail(s, "look for its task", "containerd does not know its state");
}

static void answer_ok(struct service *s, const struct grpc_result *r) {
    if (s->life == LIFE_ADOPT)
        task_looked_at(s, r);
    else if (s->life == LIFE_CREATE_TASK)
        task_created(s, r);
    else if (s->life == LIFE_START)
        task_started(s);
    else if (s->life != LIFE_STOPPING && s->life != LIFE_KILLING) /* there the exit counts, not the kill */
        service_event(s, LIFE_EV_OK);
}

static void not_found(struct service *s) {
    if (s->life == LIFE_CLEAN_TASK && s->record.ended && s->exit_known)
        log_warning("service %s: its task is gone already: its shim was killed, or somebody else has deleted it",
                    s->name);
    service_not_found(s);
}

/*
 * Where a shim was killed, containerd knows no state of the task any more, but is still cleaning up, in its name. This
 * is what it says to a deletion when it has done that.
 */
static bool is_cleaned_up(const struct service *s, const struct grpc_result *r) {
    return s->life == LIFE_CLEAN_TASK && r->status > 0 &&
           (strstr(r->error, "ttrpc: closed") || strstr(r->error, "task does not exist"));
}

/* Somebody has taken its folder away. */
static void deletion_failed(const struct service *s, const struct grpc_result *r) {
    if (s->life == LIFE_CLEAN_TASK && r->status > 0 && leftover_free(&leftover_default, service_namespace(s), s->name))
        log_error("service %s: its task's folder is gone, and containerd cannot delete it: killed its shim", s->name);
}

static void on_answer(void *data, const struct grpc_result *r) {
    struct service *s;

    if (!ticket_take(data, false, &s))
        return;
    if (r->status == GRPC_OK)
        answer_ok(s, r);
    else if (r->status == -ECONNRESET)
        service_event(s, LIFE_EV_LOST);
    else if (is_cleaned_up(s, r) ||
             (r->status == GRPC_NOT_FOUND && s->life != LIFE_CREATE_TASK && s->life != LIFE_START))
        not_found(s);
    else if (s->life == LIFE_CLEAN_KILL)
        service_event(s, LIFE_EV_ERROR);
    else if (s->life != LIFE_STOPPING && s->life != LIFE_KILLING) {
        deletion_failed(s, r);
        service_fail(s, verb(s->life), r->error);
    }
    if (r->status == -ETIMEDOUT)
        doubt(s, "containerd has not answered in time");
}

static void on_exit_seen(void *data, const struct grpc_result *r) {
    struct service *s;
    uint32_t status;

    if (!ticket_take(data, true, &s))
        return;
    if (r->status == GRPC_OK && ctrd_waited_status(r, &status) == 0)
        service_exited(s, status, killed_for_memory(s, status));
    else if (r->status == -ECONNRESET)
        service_event(s, LIFE_EV_LOST);
    else if (s->life == LIFE_RUNNING)
        service_event(s, LIFE_EV_ERROR); /* look again; elsewhere the state's own call says what is wrong */
}

/* --- what the states do --- */

static const char *const log_suffixes[] = {"", ".out"};

/* NULL: no memory for it. */
static char *log_path(const char *dir, const struct service *s, const char *suffix) {
    char *path;

    return asprintf(&path, "%s/%s%s.log", dir, s->name, suffix) < 0 ? NULL : path;
}

/* To memlogd through a FIFO, which containerd's shim opens. False: there is none, or it does not take it. */
static bool log_to_memlogd(const struct service *s, const char *suffix, char **path) {
    AUTO_FREE char *source = NULL;
    struct err e = {0};

    if (!logsink_present(WIRE_LOG_SOCKET))
        return false;
    if (asprintf(&source, "%s%s", s->name, suffix) < 0) {
        source = NULL;
        return false;
    }
    *path = log_path(SERVICE_FIFO_DIR, s, suffix);
    if (!*path)
        return false;
    if (logsink_fifo(WIRE_LOG_SOCKET, *path, source, &e) == 0)
        return true;
    log_error("%s; its lines go to %s", e.msg, SERVICE_LOG_DIR);
    free(*path);
    *path = NULL;
    return false;
}

/* A service that crashes again and again must not fill /var. */
static int open_bounded(const char *path, struct err *e) {
    AUTO_CLOSE int fd = open_log_file(path, e);
    AUTO_FREE char *old = NULL;
    struct stat st;

    if (fd < 0 || fstat(fd, &st) < 0 || st.st_size <= SERVICE_LOG_MAX)
        return fd < 0 ? fd : 0;
    if (asprintf(&old, "%s.0", path) < 0) {
        old = NULL;
        return 0;
    }
    if (rename(path, old) < 0) { /* whatever is there: that must not keep the service down */
        log_warning("service log %s is full, and cannot be renamed to %s: %s", path, old, strerror(errno));
        return 0;
    }
    AUTO_CLOSE int next = open_log_file(path, e);
    return next < 0 ? next : 0;
}

static int log_to_file(const struct service *s, const char *suffix, char **path, struct err *e) {
    AUTO_FREE char *fifo = log_path(SERVICE_FIFO_DIR, s, suffix);

    if (fifo)
        (void)logsink_remove(fifo, NULL); /* of a life with memlogd: acts_logs_to_files() */
    *path = log_path(SERVICE_LOG_DIR, s, suffix);
    if (!*path)
        return err_errno(e, -ENOMEM, "could not name its logs");
    return open_bounded(*path, e);
}

/* Also of a life that an earlier svcd has begun: this one has not chosen where its output goes. */
static bool logs_to_file(const struct service *s, const char *suffix) {
    AUTO_FREE char *fifo = log_path(SERVICE_FIFO_DIR, s, suffix);

    return fifo && access(fifo, F_OK) < 0;
}

bool acts_logs_to_files(const struct service *s) {
    return logs_to_file(s, log_suffixes[0]) || logs_to_file(s, log_suffixes[1]);
}

void acts_bound_logs(const struct service *s) {
    for (size_t i = 0; i < ARRAY_SIZE(log_suffixes); i++) {
        AUTO_FREE char *path = log_path(SERVICE_LOG_DIR, s, log_suffixes[i]);
        uint64_t kept, lost;
        struct err e = {0};
        if (!path || !logs_to_file(s, log_suffixes[i]))
            continue;
        int r = logbound_cut(path, SERVICE_LOG_MAX, &kept, &lost, &e);
        if (r < 0 || *e.msg)
            log_warning("service %s: %s", s->name, e.msg);
        if (r > 0 && lost > 0)
            log_warning("service %s: it writes more than %s can hold: %llu bytes are lost, %llu are in %s.0; memlogd"
                        " would bound them by lines",
                        s->name, path, (unsigned long long)lost, (unsigned long long)kept, path);
    }
}

static int prepare_logs(struct service *s, struct err *e) {
    char **const paths[ARRAY_SIZE(log_suffixes)] = {&s->stderr_path, &s->stdout_path};

    for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
        free(*paths[i]);
        *paths[i] = NULL;
        int r = log_to_memlogd(s, log_suffixes[i], paths[i]) ? 0 : log_to_file(s, log_suffixes[i], paths[i], e);
        if (r < 0)
            return r;
    }
    return 0;
}

static int load(struct service *s, struct err *e) {
    AUTO_FREE char *path = path_join(s->bundle, "runtime.json");

    struct stat st = {0};

    if (!path)
        return err_errno(e, -ENOMEM, "could not read runtime.json");
    (void)stat(path, &st); /* absent: it says nothing, and that once */
    if (s->loaded && s->loaded_mtime.tv_sec == st.st_mtim.tv_sec && s->loaded_mtime.tv_nsec == st.st_mtim.tv_nsec)
        return 0; /* what is odd in it was said when it was read */
    runtime_free(&s->runtime);
    int r = runtime_load(path, &s->runtime, e);
    s->loaded = r == 0;
    s->loaded_mtime = st.st_mtim;
    if (r < 0)
        return r;
    policy_free(&s->policy);
    s->policy = s->runtime.policy; /* handed over */
    policy_init(&s->runtime.policy);
    return 0;
}

/* In a child if it may block: then the child's end is the answer. */
static void do_job(struct service *s, enum worker_job job) {
    struct err e = {0};
    bool away = worker_needed(s, job);
    const struct worker_place here = {s->bundle, s->name, service_namespace(s), (int)s->pid};
    int r = away ? worker_start(s, job, &e) : worker_do(job, &s->runtime, &here, &e);

    if (r < 0)
        service_fail(s, job == WORKER_PREPARE ? "prepare its bundle" : "prepare its process", e.msg);
    else if (!away)
        service_event(s, LIFE_EV_OK);
}

static void enter_prepare(struct service *s) {
    struct err e = {0};

    if (leftover_is_there(&leftover_default, service_namespace(s), s->name))
        log_warning("service %s: an earlier task of it was left over and is removed", s->name);
    int r = load(s, &e);
    if (!r)
        r = prepare_logs(s, &e);
    if (r < 0)
        service_fail(s, "prepare its bundle", e.msg);
    else
        do_job(s, WORKER_PREPARE);
}

/* --- calls --- */

static int call_create(struct service *s, struct ticket *t) {
    AUTO_FREE char *spec = NULL;
    struct err e = {0};

    int r = spec_load(s->bundle, &spec, &e);
    if (r < 0) {
        ticket_free(t);
        service_fail(s, "create its container", e.msg);
        return 0;
    }
    return ctrd_container_create(service_grpc(s), s->name, spec, on_answer, t);
}

/* SIGKILL to all that is in its group is for who has no pid namespace: the group may be another's, too. */
static int call_kill(struct service *s, struct ticket *t) {
    return ctrd_task_kill(service_grpc(s), s->name, SIGKILL, !spec_has_own_pids(s->bundle), on_answer, t);
}

static int make_call(struct service *s, enum life l, struct ticket *t) {
    struct grpc *g = service_grpc(s);

    switch (l) {
    case LIFE_ADOPT:
        return ctrd_task_get(g, s->name, on_answer, t);
    case LIFE_CLEAN_KILL:
    case LIFE_KILLING:
        return call_kill(s, t);
    case LIFE_CLEAN_TASK:
        return ctrd_task_delete(g, s->name, on_answer, t);
    case LIFE_CLEAN_CONTAINER:
        return ctrd_container_delete(g, s->name, on_answer, t);
    case LIFE_CREATE:
        return call_create(s, t);
    case LIFE_CREATE_TASK:
        return ctrd_task_create(g, s->name, s->stdout_path, s->stderr_path, on_answer, t);
    case LIFE_START:
        return ctrd_task_start(g, s->name, on_answer, t);
    case LIFE_RUNNING:
        return ctrd_task_wait(g, s->name, on_exit_seen, t);
    case LIFE_STOPPING:
        return ctrd_task_kill(g, s->name, s->policy.stop_signal, false, on_answer, t);
    default:
        ticket_free(t);
        return 0;
    }
}

/* Nobody but us sees it end then; it may have ended before. */
static void end_alone(struct service *s, enum life l) {
    worker_stop(s);
    if (process_watch_again(s) == 0 && l == LIFE_LONE_STOPPING)
        (void)process_stop(s);
    else if (s->pidfd >= 0)
        (void)process_kill(s);
    if (process_is_gone(s))
        service_event(s, LIFE_EV_EXIT);
}

/* False: containerd has to do it. */
static bool done_without_containerd(const struct service *s, enum life l) {
    return (l == LIFE_STOPPING && process_stop(s) == 0) || (l == LIFE_KILLING && process_kill(s) == 0);
}

static void enter(struct service *s, enum life l) {
    give_up_call(s);
    if (l == LIFE_PREPARE) {
        enter_prepare(s);
        return;
    }
    if (l == LIFE_ATTACH) {
        do_job(s, WORKER_ATTACH);
        return;
    }
    if (l == LIFE_LONE_STOPPING || l == LIFE_LONE_KILLING) {
        end_alone(s, l);
        return;
    }
    if (l == LIFE_CLEAN_TASK)
        (void)process_free(s); /* SIGKILL was its end, and nobody says so */
    if (l == LIFE_START || l == LIFE_RUNNING)
        process_watch(s);
    else if (l != LIFE_STOPPING && l != LIFE_KILLING && l != LIFE_DETACHED && l != LIFE_ADOPT)
        process_forget(s);
    else if (l == LIFE_DETACHED)
        worker_stop(s);
    if (life_is_down(l) || l == LIFE_LONE_DOWN || l == LIFE_BACKOFF || l == LIFE_DETACHED || l == LIFE_DECIDE)
        return;
    if (done_without_containerd(s, l))
        return;
    if (!*s->connection) {
        service_event(s, LIFE_EV_LOST);
        return;
    }
    struct ticket *t = ticket_new(s);
    int r = t ? make_call(s, l, t) : -ENOMEM;
    if (r == 0)
        return;
    ticket_free(t);
    if (r == -ECONNRESET)
        service_event(s, LIFE_EV_LOST);
    else
        service_fail(s, verb(l), strerror(-r));
}

const struct service_ops service_acts = {
    .enter = enter, .probe = probe_start, .stop_probe = probe_stop, .now_ms = clock_ms, .set_timer = service_arm};
