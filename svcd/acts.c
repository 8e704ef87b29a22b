/* SPDX-License-Identifier: Apache-2.0 */
#include "svcd/acts.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>

#include "lib/fdutil.h"
#include "lib/log.h"
#include "lib/timeline.h"
#include "memlogd/wire.h"
#include "svcd/ctrd.h"
#include "svcd/logsink.h"
#include "svcd/spec.h"

/* A file for each service of which interfaces are in the root: svcd may die, they need not be in the way for that. */
#define LINKS_DIR "/run/keelson/links"

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
    return t;
}

/* False: the answer is to a call of a state, or a life, that is over. Frees the ticket. */
static bool ticket_take(struct ticket *t, bool of_this_life_only, struct service **s) {
    bool current = t->generation == t->s->generation && (of_this_life_only || t->life == t->s->life);

    *s = t->s;
    free(t);
    return current;
}

static void stamp(const struct service *s, const char *stage, uint64_t start_ns, bool ok, const char *detail) {
    char name[SERVICE_NAME_MAX + 16], parent[SERVICE_NAME_MAX + 16];

    (void)snprintf(parent, sizeof(parent), "services/%s", s->name);
    (void)snprintf(name, sizeof(name), "%s %s", s->name, stage);
    const struct timeline_stage t = {
        *stage ? name : parent, *stage ? parent : STAGE_SYSTEM_INIT, start_ns, clock_ns(), ok, detail};
    (void)timeline_append(TIMELINE_PATH, &t); /* a full /run must not stop a service */
}

/* Only the boot's own start is part of the timeline. */
static bool first_start(const struct service *s) {
    return s->asked_ns != 0;
}

void acts_stamp_failure(struct service *s) {
    if (first_start(s))
        stamp(s, "", s->asked_ns, false, s->error);
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
    case LIFE_START:
        return "start its task";
    default:
        return "go on";
    }
}

/* --- answers --- */

static int prepare_process(struct service *s, struct err *e) {
    AUTO_FREE char *notes = path_join(LINKS_DIR, s->name);

    if (!notes)
        return err_errno(e, -ENOMEM, "could not note its interfaces");
    if (s->runtime.interfaces.len > 0 && mkdir_p(LINKS_DIR, 0755, e) < 0)
        return e->code;
    return runtime_prepare_process(&s->runtime, (int)s->pid, notes, e);
}

static void task_created(struct service *s, const struct grpc_result *r) {
    struct err e = {0};

    if (ctrd_created_pid(r, &s->pid) < 0) {
        service_fail(s, "create its task", "containerd's answer could not be read");
        return;
    }
    if (first_start(s))
        stamp(s, "created", s->entered_ns, true, "");
    if (prepare_process(s, &e) < 0)
        service_fail(s, "prepare its process", e.msg);
    else
        service_event(s, LIFE_EV_OK);
}

static void task_started(struct service *s) {
    if (first_start(s)) {
        stamp(s, "started", s->entered_ns, true, "");
        stamp(s, "", s->asked_ns, true, "");
        s->asked_ns = 0;
    }
    service_event(s, LIFE_EV_OK);
}

static void task_looked_at(struct service *s, const struct grpc_result *r) {
    struct ctrd_process p;

    if (ctrd_process(r, &p) < 0) {
        service_fail(s, "look for its task", "containerd's answer could not be read");
        return;
    }
    s->pid = p.pid;
    service_event(s, p.status == CTRD_RUNNING || p.status == CTRD_PAUSED ? LIFE_EV_OK : LIFE_EV_EXIT);
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

static void on_answer(void *data, const struct grpc_result *r) {
    struct service *s;

    if (!ticket_take(data, false, &s))
        return;
    if (r->status == GRPC_OK)
        answer_ok(s, r);
    else if (r->status == -ECONNRESET)
        service_event(s, LIFE_EV_LOST);
    else if (r->status == GRPC_NOT_FOUND && s->life != LIFE_CREATE_TASK && s->life != LIFE_START)
        service_event(s, LIFE_EV_NOT_FOUND);
    else if (s->life == LIFE_CLEAN_KILL)
        service_event(s, LIFE_EV_ERROR);
    else if (s->life != LIFE_STOPPING && s->life != LIFE_KILLING)
        service_fail(s, verb(s->life), r->error);
}

static void on_exit_seen(void *data, const struct grpc_result *r) {
    struct service *s;
    uint32_t status;

    if (!ticket_take(data, true, &s))
        return;
    if (r->status == GRPC_OK && ctrd_waited_status(r, &status) == 0)
        service_exited(s, status);
    else if (r->status == -ECONNRESET)
        service_event(s, LIFE_EV_LOST);
    else if (s->life == LIFE_RUNNING)
        service_event(s, LIFE_EV_ERROR); /* look again; elsewhere the state's own call says what is wrong */
}

/* --- what the states do --- */

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
    if (asprintf(path, "%s/%s%s.log", SERVICE_FIFO_DIR, s->name, suffix) < 0) {
        *path = NULL;
        return false;
    }
    if (logsink_fifo(WIRE_LOG_SOCKET, *path, source, &e) == 0)
        return true;
    log_error("%s; its lines go to %s", e.msg, SERVICE_LOG_DIR);
    free(*path);
    *path = NULL;
    return false;
}

static int log_to_file(const struct service *s, const char *suffix, char **path, struct err *e) {
    if (asprintf(path, "%s/%s%s.log", SERVICE_LOG_DIR, s->name, suffix) < 0) {
        *path = NULL;
        return err_errno(e, -ENOMEM, "could not name its logs");
    }
    AUTO_CLOSE int fd = open_log_file(*path, e);
    return fd < 0 ? fd : 0;
}

static int prepare_logs(struct service *s, struct err *e) {
    char **const paths[] = {&s->stderr_path, &s->stdout_path};
    static const char *const suffix[] = {"", ".out"};

    for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
        free(*paths[i]);
        *paths[i] = NULL;
        int r = log_to_memlogd(s, suffix[i], paths[i]) ? 0 : log_to_file(s, suffix[i], paths[i], e);
        if (r < 0)
            return r;
    }
    return 0;
}

/* A namespace that stayed bound keeps the interfaces of the life before, and so keeps them from the next one. */
static void take_back_interfaces(const struct service *s, const char *notes) {
    runtime_unbind_namespaces(&s->runtime);
    interfaces_take_back(notes);
}

static int prepare(struct service *s, struct err *e) {
    AUTO_FREE char *path = path_join(s->bundle, "runtime.json");
    AUTO_FREE char *notes = path_join(LINKS_DIR, s->name);

    if (!path || !notes)
        return err_errno(e, -ENOMEM, "could not read runtime.json");
    runtime_unmount(&s->runtime, s->bundle); /* of the life before, if there was one */
    runtime_free(&s->runtime);
    int r = runtime_load(path, &s->runtime, e);
    if (!r)
        take_back_interfaces(s, notes);
    if (!r)
        r = runtime_prepare(&s->runtime, s->bundle, e);
    return r < 0 ? r : prepare_logs(s, e);
}

static void enter_prepare(struct service *s) {
    struct err e = {0};

    if (prepare(s, &e) < 0)
        service_fail(s, "prepare its bundle", e.msg);
    else
        service_event(s, LIFE_EV_OK);
}

static int call_create(struct service *s, struct ticket *t) {
    AUTO_FREE char *spec = NULL;
    struct err e = {0};

    int r = spec_load(s->bundle, &spec, &e);
    if (r < 0) {
        free(t);
        service_fail(s, "create its container", e.msg);
        return 0;
    }
    return ctrd_container_create(*s->connection, s->name, spec, on_answer, t);
}

static int make_call(struct service *s, enum life l, struct ticket *t) {
    struct grpc *g = *s->connection;

    switch (l) {
    case LIFE_ADOPT:
        return ctrd_task_get(g, s->name, on_answer, t);
    case LIFE_CLEAN_KILL:
        return ctrd_task_kill(g, s->name, SIGKILL, true, on_answer, t);
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
        return ctrd_task_kill(g, s->name, SIGTERM, false, on_answer, t);
    case LIFE_KILLING:
        return ctrd_task_kill(g, s->name, SIGKILL, true, on_answer, t);
    default:
        free(t);
        return 0;
    }
}

static void enter(struct service *s, enum life l) {
    if (l == LIFE_PREPARE) {
        enter_prepare(s);
        return;
    }
    if (l == LIFE_DOWN || l == LIFE_BACKOFF || l == LIFE_DETACHED || l == LIFE_DECIDE)
        return;
    if (!*s->connection) {
        service_event(s, LIFE_EV_LOST);
        return;
    }
    struct ticket *t = ticket_new(s);
    int r = t ? make_call(s, l, t) : -ENOMEM;
    if (r == 0)
        return;
    free(t);
    if (r == -ECONNRESET)
        service_event(s, LIFE_EV_LOST);
    else
        service_fail(s, verb(l), strerror(-r));
}

const struct service_ops service_acts = {enter};
