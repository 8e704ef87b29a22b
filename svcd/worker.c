/* SPDX-License-Identifier: Apache-2.0 */
#include "svcd/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>

#include "lib/fdutil.h"
#include "lib/log.h"
#include "lib/spawn.h"
#include "svcd/leftover.h"

/* A file for each service of which interfaces are in the root: svcd may die, they need not be in the way for that. */
#define LINKS_DIR "/run/keelson/links"
/* A file for each service for which mounts were made: they are undone before they are made once more. */
#define MOUNTS_DIR "/run/keelson/mounts"

struct worker {
    struct service *s;
    enum worker_job job;
    pid_t pid;
    int pidfd, words;
    struct loop_source end, deadline;
    bool old;  /* killed: nobody waits for it; in a call to a device that hangs it may stay for long */
    bool next; /* the job is one that waits for its end */
};

static const char *const job_names[] = {[WORKER_PREPARE] = "prepare", [WORKER_ATTACH] = "attach"};
static const char *const job_verbs[] = {
    [WORKER_PREPARE] = "prepare its bundle", [WORKER_ATTACH] = "prepare its process"};

/* --- the work --- */

static bool exists(const char *dir, const char *name) {
    AUTO_FREE char *path = path_join(dir, name);

    return path && access(path, F_OK) == 0;
}

bool worker_needed(const struct service *s, enum worker_job job) {
    if (s->runtime.interfaces.len > 0)
        return true;
    if (job == WORKER_ATTACH)
        return false;
    return runtime_may_block(&s->runtime) || exists(LINKS_DIR, s->name) ||
           leftover_is_there(&leftover_default, service_namespace(s), s->name);
}

static int note(const char *dir, const char *name, struct err *e) {
    AUTO_FREE char *path = path_join(dir, name);

    if (!path || mkdir_p(dir, 0755, e) < 0)
        return path ? e->code : err_errno(e, -ENOMEM, "could not note %s in %s", name, dir);
    AUTO_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
    return fd < 0 ? err_errno(e, -errno, "could not make %s", path) : 0;
}

/*
 * Services of one image are bind mounts of one directory. Were they shared, then what is mounted on that directory for
 * the one would be mounted on, and taken away from, the roots of all the others, and of what runc is just making of
 * them.
 */
static void make_private(const char *bundle) {
    AUTO_FREE char *rootfs = path_join(bundle, "rootfs");

    if (rootfs)
        (void)mount(NULL, rootfs, NULL, MS_PRIVATE, NULL); /* it need not be a mount at all */
}

/* A namespace that stayed bound keeps the interfaces of the life before, and so keeps them from the next one. */
static int do_prepare(const struct runtime *rt, const struct worker_place *at, struct err *e) {
    AUTO_FREE char *links = path_join(LINKS_DIR, at->name);

    if (!links)
        return err_errno(e, -ENOMEM, "could not prepare %s", at->name);
    if (leftover_remove(&leftover_default, at->ns, at->name, e) < 0)
        return e->code;
    if (exists(MOUNTS_DIR, at->name))
        runtime_unmount(rt, at->bundle);
    runtime_unbind_namespaces(rt);
    interfaces_take_back(links);
    int r = rt->mounts_len > 0 ? note(MOUNTS_DIR, at->name, e) : 0;
    if (!r)
        r = runtime_prepare(rt, at->bundle, e);
    make_private(at->bundle);
    return r;
}

static int do_attach(const struct runtime *rt, const struct worker_place *at, struct err *e) {
    AUTO_FREE char *links = path_join(LINKS_DIR, at->name);

    if (!links)
        return err_errno(e, -ENOMEM, "could not note its interfaces");
    if (rt->interfaces.len > 0 && mkdir_p(LINKS_DIR, 0755, e) < 0)
        return e->code;
    return runtime_prepare_process(rt, at->pid, links, e);
}

int worker_do(enum worker_job job, const struct runtime *rt, const struct worker_place *at, struct err *e) {
    return job == WORKER_PREPARE ? do_prepare(rt, at, e) : do_attach(rt, at, e);
}

/* --- the child --- */

static void keep_quiet(const char *line, size_t len) {
    (void)line; /* svcd has read the same file, and said what is to be said of it */
    (void)len;
}

int worker_main(int argc, char **argv) {
    struct runtime rt;
    struct err e = {0};
    uint64_t pid;

    if (argc != 5 || parse_u64(argv[4], INT32_MAX, &pid) < 0)
        return 100;
    const char *name = strrchr(argv[2], '/');
    enum worker_job job = strcmp(argv[1], job_names[WORKER_ATTACH]) == 0 ? WORKER_ATTACH : WORKER_PREPARE;
    AUTO_FREE char *path = path_join(argv[2], "runtime.json");
    if (!name || !path)
        return 1;
    log_set_sink(keep_quiet);
    int r = runtime_load(path, &rt, &e);
    if (!r)
        r = worker_do(job, &rt, &(struct worker_place){argv[2], name + 1, argv[3], (int)pid}, &e);
    if (r < 0)
        (void)write_full(STDOUT_FILENO, e.msg, strlen(e.msg));
    return r < 0;
}

/* --- who waits for it --- */

static void release(struct worker *w) {
    loop_remove(w->s->loop, &w->end);
    loop_remove(w->s->loop, &w->deadline);
    if (w->pidfd >= 0)
        (void)close(w->pidfd);
    if (w->words >= 0)
        (void)close(w->words);
    w->s->worker = NULL;
    free(w);
}

/* Its job is over, and may have left one to be done. */
static void begin_next(struct worker *w) {
    struct service *s = w->s;
    enum worker_job job = w->job;
    bool next = w->next;
    struct err e = {0};

    release(w);
    if (next && worker_start(s, job, &e) < 0)
        service_fail(s, job_verbs[job], e.msg);
}

static void give_up(struct worker *w) {
    loop_remove(w->s->loop, &w->deadline);
    (void)kill(w->pid, SIGKILL); /* not reaped yet: the number is its own */
    w->old = true;
    w->next = false;
}

static void on_end(struct loop_source *src, uint32_t events, void *data) {
    struct worker *w = data;
    struct service *s = w->s;
    const char *verb = job_verbs[w->job];
    char why[ERR_MSG_MAX];
    int status = 0;

    (void)src;
    (void)events;
    if (waitpid(w->pid, &status, WNOHANG) == 0)
        return;
    if (w->old) {
        begin_next(w);
        return;
    }
    ssize_t n = read_full(w->words, why, sizeof(why) - 1);
    why[n < 0 ? 0 : n] = '\0';
    if (!*why && status != 0)
        (void)exit_reason(status, why, sizeof(why));
    release(w);
    if (status == 0)
        service_event(s, LIFE_EV_OK);
    else
        service_fail(s, verb, why);
}

static void on_deadline(struct loop_source *src, void *data) {
    struct worker *w = data;
    char why[ERR_MSG_MAX];

    (void)src;
    if (w->next)
        (void)snprintf(why, sizeof(why), "an earlier attempt hangs, and cannot be killed");
    else
        (void)snprintf(why, sizeof(why), "it took longer than %d s", WORKER_MS / 1000);
    give_up(w);
    service_fail(w->s, job_verbs[w->job], why);
}

static void start_later(struct worker *w, enum worker_job job) {
    w->job = job;
    w->next = true;
    (void)loop_set_timer(w->s->loop, &w->deadline, WORKER_MS, on_deadline, w);
}

int worker_start(struct service *s, enum worker_job job, struct err *e) {
    struct spawn sp = SPAWN_INIT;
    char pid[16];
    int fds[2];

    if (s->worker) {
        start_later(s->worker, job);
        return 0;
    }
    struct worker *w = calloc(1, sizeof(*w));
    if (!w)
        return err_errno(e, -ENOMEM, "could not %s", job_verbs[job]);
    *w = (struct worker){.s = s, .job = job, .pidfd = -1, .words = -1};
    if (pipe2(fds, O_CLOEXEC) < 0) {
        free(w);
        return err_errno(e, -errno, "could not %s", job_verbs[job]);
    }
    w->words = fds[0];
    (void)snprintf(pid, sizeof(pid), "%u", s->pid);
    sp.argv = (const char *const[]){WORKER_NAME, job_names[job], s->bundle, service_namespace(s), pid, NULL};
    sp.program = "/proc/self/exe";
    sp.stdout_fd = fds[1];
    sp.die_with_us = true;
    s->worker = w;
    int r = spawn(&sp, &w->pid, &w->pidfd, e);
    (void)close(fds[1]);
    if (!r && (r = loop_add_fd(s->loop, &w->end, w->pidfd, EPOLLIN, on_end, w)) < 0) {
        (void)kill(w->pid, SIGKILL); /* PID 1 reaps it when svcd has ended */
        (void)err_errno(e, r, "could not %s", job_verbs[job]);
    }
    if (r < 0) {
        release(w);
        return r;
    }
    (void)loop_set_timer(s->loop, &w->deadline, WORKER_MS, on_deadline, w); /* without one it may take its time */
    return 0;
}

void worker_stop(struct service *s) {
    if (s->worker)
        give_up(s->worker);
}

void worker_fini(struct service *s) {
    worker_stop(s);
    if (!s->worker)
        return;
    (void)waitpid(s->worker->pid, NULL, WNOHANG);
    release(s->worker);
}
