/* SPDX-License-Identifier: Apache-2.0 */
#include "svcd/memory.h"

#include <errno.h>
#include <string.h>

#include "lib/fdutil.h"
#include "lib/json.h"
#include "lib/log.h"
#include "svcd/status.h"

/* As far as the next svcd can tell them apart: what lies between them it finds out from containerd. */
static const char *const states[] = {[LIFE_DOWN] = "down", [LIFE_FAILED] = "failed", [LIFE_DETACHED] = "up"};

static json_t *describe(const struct service *s, bool returns) {
    bool pauses = s->life == LIFE_BACKOFF && s->again; /* the next svcd starts it */
    const char *state = states[life_is_down(s->life) && !s->queued ? s->life : LIFE_DETACHED];

    return json_pack("{s:s, s:b, s:b, s:b, s:b, s:b, s:b, s:I, s:I, s:I, s:I, s:o, s:o, s:o, s:o, s:I}", "state", state,
                     "wanted", s->record.wanted, "restart", s->restart, "alive", s->alive && !returns, "unfit",
                     s->unfit, "returns", returns, "ready", health_is_ready(s->health.now), "pid", (json_int_t)s->pid,
                     "started_ms", (json_int_t)s->started_ms, "restarts", (json_int_t)s->restarts + pauses, "attempts",
                     (json_int_t)s->record.attempts, "exit_status",
                     s->exit_known ? json_integer((json_int_t)s->exit_status) : json_null(), "last_exit",
                     status_text(s->exit_reason), "last_error", status_text(s->error), "cgroup",
                     status_text(s->cgroup ? s->cgroup : ""), "oom_kills", (json_int_t)s->oom_kills);
}

static void keep(const char *dir, struct service *s, bool returns) {
    AUTO_JSON json_t *doc = describe(s, returns);
    AUTO_FREE char *line = doc ? json_dumps(doc, JSON_COMPACT) : NULL;
    AUTO_FREE char *path = path_join(dir, s->name);
    struct err e = {0};

    if (line && s->kept && !strcmp(line, s->kept))
        return;
    if (!line || !path) {
        log_warning("service %s: could not note how it is: out of memory", s->name);
        return;
    }
    if (write_file_atomic(path, line, strlen(line), 0644, false, &e) < 0) {
        log_warning("service %s: %s", s->name, e.msg);
        return;
    }
    free(s->kept);
    s->kept = steal_ptr(&line);
}

void memory_keep(const char *dir, struct service *s) {
    keep(dir, s, s->returns);
}

void memory_keep_for_return(const char *dir, struct service *s) {
    keep(dir, s, true);
}

struct kept {
    const char *state, *last_exit, *last_error, *cgroup;
    bool wanted, restart, alive, unfit, returns, ready;
    int64_t pid, started_ms, restarts, attempts, exit_status, oom_kills;
};

static int read_kept(const json_t *doc, struct kept *k, struct err *e) {
    const struct {
        const char *key;
        const char **to;
    } strings[] = {
        {"state", &k->state}, {"last_exit", &k->last_exit}, {"last_error", &k->last_error}, {"cgroup", &k->cgroup}};
    const struct {
        const char *key;
        bool *to;
    } flags[] = {{"wanted", &k->wanted}, {"restart", &k->restart}, {"alive", &k->alive},
                 {"unfit", &k->unfit},   {"returns", &k->returns}, {"ready", &k->ready}};
    const struct {
        const char *key;
        int64_t *to, max;
    } numbers[] = {{"pid", &k->pid, INT32_MAX},
                   {"started_ms", &k->started_ms, INT64_MAX},
                   {"restarts", &k->restarts, INT32_MAX},
                   {"attempts", &k->attempts, INT32_MAX},
                   {"oom_kills", &k->oom_kills, INT64_MAX}};
    int r = 0;

    for (size_t i = 0; i < ARRAY_SIZE(strings) && !r; i++)
        r = json_get_string(doc, "$", strings[i].key, true, strings[i].to, e);
    for (size_t i = 0; i < ARRAY_SIZE(flags) && !r; i++)
        r = json_get_bool(doc, "$", flags[i].key, true, flags[i].to, e);
    for (size_t i = 0; i < ARRAY_SIZE(numbers) && !r; i++) {
        r = json_get_int(doc, "$", numbers[i].key, true, numbers[i].to, e);
        if (!r && (*numbers[i].to < 0 || *numbers[i].to > numbers[i].max))
            r = err_set(e, -ERANGE, "$.%s is out of range", numbers[i].key);
    }
    k->exit_status = -1;
    if (!r)
        r = json_get_int(doc, "$", "exit_status", false, &k->exit_status, e);
    return r;
}

static enum life state_of(const char *name) {
    for (size_t i = 0; i < ARRAY_SIZE(states); i++)
        if (!strcmp(states[i], name))
            return (enum life)i;
    return LIVES;
}

static void take(struct service *s, const struct kept *k, enum life life) {
    s->life = life;
    s->record.wanted = k->wanted;
    s->record.attempts = (unsigned)k->attempts;
    s->record.failed = life == LIFE_FAILED;
    s->restart = k->restart;
    s->alive = k->alive;
    s->unfit = k->unfit;
    s->returns = k->returns;
    if (life == LIFE_DETACHED && k->alive && !k->ready && s->policy.ready.kind != PROBE_NONE)
        s->health.now = HEALTH_STARTING;
    s->pid = life == LIFE_DETACHED ? (uint32_t)k->pid : 0;
    s->started_ms = (uint64_t)k->started_ms;
    s->restarts = (unsigned)k->restarts;
    s->exit_known = k->exit_status >= 0;
    s->exit_status = s->exit_known ? (uint32_t)k->exit_status : 0;
    s->settled |= life_is_down(life);
    (void)snprintf(s->exit_reason, sizeof(s->exit_reason), "%s", k->last_exit);
    (void)snprintf(s->error, sizeof(s->error), "%s", k->last_error);
    free(s->cgroup);
    s->cgroup = *k->cgroup ? strdup(k->cgroup) : NULL;
    s->oom_kills = (uint64_t)k->oom_kills;
}

bool memory_take_over(const char *dir, struct service *s) {
    AUTO_FREE char *path = path_join(dir, s->name);
    AUTO_JSON json_t *doc = NULL;
    struct kept k = {.state = "", .last_exit = "", .last_error = "", .cgroup = ""};
    struct err e = {0};

    if (!path || access(path, F_OK) < 0)
        return false;
    int r = json_load_path(path, MEMORY_FILE_MAX, &doc, &e);
    if (!r)
        r = read_kept(doc, &k, &e);
    enum life life = r < 0 ? LIVES : state_of(k.state);
    if (life == LIVES) {
        log_warning("service %s: %s is not understood and not heeded: %s", s->name, path,
                    r < 0 ? e.msg : "$.state is none of down, failed, up");
        return false;
    }
    take(s, &k, life);
    return true;
}
