/* SPDX-License-Identifier: Apache-2.0 */
#include "svcd/service.h"

#include <errno.h>
#include <string.h>

#include "lib/fdutil.h"
#include "lib/log.h"
#include "svcd/acts.h"
#include "svcd/look.h"
#include "svcd/process.h"
#include "svcd/worker.h"

#define LOOK_MIN_MS 250 /* doubling */
#define LOOK_MAX_MS 30000
#define READY_ATTEMPT_MS 30000 /* one attempt; ready's own timeout is for all of them */

static int check_name(const char *name, struct err *e) {
    if (is_identifier(name))
        return 0;
    return err_set(e, -EINVAL, "could not use service \"%s\": containerd takes " IDENTIFIER_RULE, name);
}

int service_init(struct service *s, const char *dir, const char *name, struct loop *l, struct grpc **connection,
                 service_changed_fn *changed, void *data, struct err *e) {
    int r = check_name(name, e);

    *s = (struct service){
        .ops = &service_acts, .loop = l, .connection = connection, .changed = changed, .data = data, .pidfd = -1};
    policy_init(&s->policy);
    if (r < 0)
        return r;
    (void)snprintf(s->name, sizeof(s->name), "%s", name);
    s->bundle = path_join(dir, name);
    AUTO_FREE char *runtime_json = s->bundle ? path_join(s->bundle, "runtime.json") : NULL;
    if (!runtime_json)
        return err_errno(e, -ENOMEM, "could not use service %s", name);
    (void)policy_load_path(runtime_json, &s->policy, NULL); /* the start reads it once more, and says what is wrong */
    runtime_namespace(runtime_json, s->ns, sizeof(s->ns));
    return 0;
}

struct grpc *service_grpc(const struct service *s) {
    if (*s->connection)
        grpc_use_namespace(*s->connection, s->ns);
    return *s->connection;
}

void service_fini(struct service *s) {
    if (s->loop) {
        s->ops->stop_probe(s);
        look_fini(s);
        process_forget(s);
        worker_fini(s);
        for (int t = 0; t < TIMERS; t++)
            loop_remove(s->loop, &s->timers[t]);
    }
    runtime_free(&s->runtime);
    policy_free(&s->policy);
    free(s->after);
    free(s->before);
    free(s->bundle);
    free(s->cgroup);
    free(s->kept);
    free(s->stdout_path);
    free(s->stderr_path);
    *s = (struct service){.pidfd = -1};
}

bool service_is_ready(const struct service *s) {
    return s->life == LIFE_RUNNING && health_is_ready(s->health.now);
}

const char *service_trouble(const struct service *s) {
    bool trouble = s->record.failed || (s->life == LIFE_BACKOFF && *s->error);

    return trouble ? s->error : NULL;
}

const char *service_state_name(const struct service *s) {
    return s->queued && life_is_down(s->life) ? "queued" : life_name(s->life);
}

/* --- timers --- */

static void on_timer(struct loop_source *src, void *data) {
    struct service *s = data;

    service_timeout(s, (enum service_timer)(src - s->timers));
}

void service_arm(struct service *s, enum service_timer t, uint64_t ms) {
    loop_remove(s->loop, &s->timers[t]);
    if (ms && loop_set_timer(s->loop, &s->timers[t], ms, on_timer, s) < 0)
        log_error("service %s: could not set a timer for \"%s\"", s->name, life_name(s->life));
}

/* --- health --- */

static void probe_now(struct service *s) {
    const struct probe_policy *p = health_probe(s->health.now, &s->policy);

    if (p)
        s->ops->probe(s, p, s->health.now == HEALTH_STARTING ? READY_ATTEMPT_MS : p->timeout_ms);
}

/* Its time to become ready began with its life, whoever looked after it then. */
static uint64_t ready_due_ms(const struct service *s) {
    uint64_t lived = s->ops->now_ms() - s->started_ms, all = s->policy.ready.timeout_ms;

    return all == 0 ? 0 : lived < all ? all - lived : 1;
}

static void begin_health(struct service *s, bool adopted) {
    enum health before = s->health.now;
    bool known = adopted && before != HEALTH_NONE; /* only containerd, or svcd, was away */

    s->health = (struct health_state){.now = known ? before : health_first(&s->policy, adopted)};
    s->health_error[0] = '\0';
    if (s->health.now == HEALTH_STARTING)
        s->ops->set_timer(s, TIMER_READY, ready_due_ms(s));
    probe_now(s);
}

static void end_health(struct service *s) {
    s->ops->stop_probe(s);
    s->ops->set_timer(s, TIMER_PROBE, 0);
    s->ops->set_timer(s, TIMER_READY, 0);
}

/* It is stopped, and its policy goes on from there. */
static void unfit(struct service *s, const char *what) {
    s->record.failed = s->unfit = true;
    (void)snprintf(s->error, sizeof(s->error), "it %s%s%s", what, *s->health_error ? ": " : "", s->health_error);
    log_error("service %s: %s; stopping it", s->name, s->error);
    service_event(s, LIFE_EV_UNFIT);
}

static void health_changed(struct service *s) {
    if (s->health.now == HEALTH_UNHEALTHY && s->policy.restart != RESTART_NEVER) {
        unfit(s, "is unhealthy");
        return;
    }
    if (s->health.now == HEALTH_UNHEALTHY)
        log_error("service %s: it is unhealthy: %s", s->name, s->health_error);
    else if (s->health.now == HEALTH_FAILING)
        log_warning("service %s: a health check failed: %s", s->name, s->health_error);
    if (s->health.now == HEALTH_READY)
        s->ops->set_timer(s, TIMER_READY, 0);
    s->changed(s, s->data);
}

static void probe_later(struct service *s) {
    const struct probe_policy *p = s->life == LIFE_RUNNING ? health_probe(s->health.now, &s->policy) : NULL;

    if (p)
        s->ops->set_timer(s, TIMER_PROBE, p->interval_ms);
}

void service_probed(struct service *s, bool ok, const char *why) {
    if (s->life != LIFE_RUNNING)
        return;
    if (!ok && s->paused) {
        probe_later(s);
        return;
    }
    (void)snprintf(s->health_error, sizeof(s->health_error), "%s", why);
    if (health_result(&s->health, &s->policy, ok))
        health_changed(s);
    probe_later(s);
}

void service_unprobed(struct service *s) {
    log_warning("service %s: containerd does not answer: its health is not known", s->name);
    probe_later(s);
    if (s->doubt)
        s->doubt(s, s->data);
}

/* It is to stop, and whoever is to make it hangs. */
static void give_up_start(struct service *s) {
    log_warning("service %s: it is to stop, and its start (%s) has not ended in its %llu s: giving it up", s->name,
                life_name(s->life), (unsigned long long)s->policy.stop_timeout_ms / 1000);
    service_fail(s, "start it", "it was told to stop, and its start did not end");
}

void service_timeout(struct service *s, enum service_timer t) {
    if (t == TIMER_LIFE && s->life == LIFE_BACKOFF && s->again && s->turn && !s->turn(s, s->data))
        s->due = true;
    else if (t == TIMER_LIFE && life_is_being_made(s->life))
        give_up_start(s);
    else if (t == TIMER_LIFE)
        service_event(s, LIFE_EV_TIMEOUT);
    else if (s->life == LIFE_RUNNING && t == TIMER_PROBE && s->paused)
        probe_later(s);
    else if (s->life == LIFE_RUNNING && t == TIMER_PROBE)
        probe_now(s);
    else if (s->life == LIFE_RUNNING && t == TIMER_READY && s->health.now == HEALTH_STARTING && s->paused)
        s->ops->set_timer(s, TIMER_READY, s->policy.ready.timeout_ms);
    else if (s->life == LIFE_RUNNING && t == TIMER_READY && s->health.now == HEALTH_STARTING)
        unfit(s, "was not ready in time");
}

void service_turn(struct service *s) {
    if (s->due)
        service_event(s, LIFE_EV_TIMEOUT);
}

/* --- the machine --- */

/* The pause before a start that was decided on; or before another look at what could not be looked at, or removed. */
static void enter_backoff(struct service *s, enum life from) {
    uint64_t lived = s->started_ms ? s->ops->now_ms() - s->started_ms : 0;

    s->again = from == LIFE_DECIDE;
    if (s->again) {
        s->record.attempts = lived >= s->policy.reset_ms ? 1 : s->record.attempts + 1;
        s->backoff_ms = life_backoff_ms(&s->policy, s->backoff_ms, lived);
        s->started_ms = 0; /* a life counts once; the next attempt may not come that far */
    } else {
        s->look_ms = s->look_ms == 0 ? LOOK_MIN_MS : s->look_ms >= LOOK_MAX_MS / 2 ? LOOK_MAX_MS : 2 * s->look_ms;
    }
    uint64_t pause = s->again ? s->backoff_ms : s->look_ms;
    s->ops->set_timer(s, TIMER_LIFE, pause);
    log_error("service %s: %s; %s in %llu ms", s->name, *s->error ? s->error : "it has ended",
              s->again ? "starting it again" : "looking again", (unsigned long long)pause);
}

static void enter_failed(struct service *s) {
    if (!*s->error)
        (void)snprintf(s->error, sizeof(s->error), "it %s", *s->exit_reason ? s->exit_reason : "has ended");
    s->settled = true;
    s->pid = 0;
    s->onfail_due = true;
    if (s->policy.restart == RESTART_NEVER)
        log_error("service %s: %s; its policy is not to start it again", s->name, s->error);
    else
        log_error("service %s: %s; it was started %u times in a row, as often as its policy allows", s->name, s->error,
                  s->record.attempts + 1);
}

static void left(struct service *s, enum life from) {
    if (from == LIFE_RUNNING)
        end_health(s);
    if (s->life != LIFE_RUNNING && s->life != LIFE_DETACHED && s->life != LIFE_ADOPT) /* there it may run on */
        s->health = (struct health_state){.now = HEALTH_NONE};
    /* Who loses containerd in the pause is started when that is back: an attempt that was counted, and not made. */
    if (from == LIFE_BACKOFF && s->record.wanted && s->again) {
        s->restarts++;
        s->record.failed = s->record.ended = false;
    }
}

static void arm_state(struct service *s, enum life from) {
    bool grace = s->life == LIFE_STOPPING || s->life == LIFE_LONE_STOPPING;
    bool stops_on_its_way = !s->record.wanted && life_is_being_made(from) && life_is_being_made(s->life);

    if (!stops_on_its_way) /* there the grace goes on */
        s->ops->set_timer(s, TIMER_LIFE, grace ? s->policy.stop_timeout_ms : life_deadline_ms(s->life));
}

/* Bookkeeping that belongs to the state itself, whatever the system is. */
static void note_entry(struct service *s, enum life from) {
    s->entered_ns = clock_ns();
    s->due = false;
    left(s, from);
    arm_state(s, from);
    if (s->life == LIFE_ADOPT) {
        s->unseen = false;
    } else if (s->life == LIFE_DECIDE) {
        s->unfit = false;
        s->pid = 0;
    } else if (s->life == LIFE_PREPARE) {
        s->generation++;
        s->look_ms = 0;
        s->paused = false;
        s->returns = s->record.ended = s->record.failed = false;
    } else if (s->life == LIFE_RUNNING) {
        s->settled = s->alive = true;
        s->look_ms = 0;
        s->record.failed = false;
        if (from == LIFE_START || !s->started_ms)
            s->started_ms = s->ops->now_ms();
    } else if (s->life == LIFE_BACKOFF) {
        s->settled = true;
        enter_backoff(s, from);
    } else if (s->life == LIFE_DOWN || s->life == LIFE_LONE_DOWN) {
        s->settled = true;
        s->pid = 0;
    } else if (s->life == LIFE_FAILED) {
        enter_failed(s);
    }
}

/* How often it lived long enough decides whether its restarts are used up: that of the life that has just ended too. */
static enum life_event decide(struct service *s) {
    if (s->started_ms && s->ops->now_ms() - s->started_ms >= s->policy.reset_ms)
        s->record.attempts = 0;
    return life_decide(&s->policy, &s->record);
}

/* What a state decides by itself, LIFE_EVENTS if nothing. */
static enum life_event own_event(struct service *s) {
    if (s->life == LIFE_DECIDE)
        return decide(s);
    if ((s->life == LIFE_RUNNING || s->life == LIFE_DETACHED) && !s->record.wanted)
        return LIFE_EV_STOP;
    if (s->life == LIFE_RUNNING && s->unfit) /* containerd or svcd went while it was stopped for that */
        return LIFE_EV_UNFIT;
    if (s->life == LIFE_DOWN && s->restart) {
        s->restart = false;
        s->record = (struct life_record){.wanted = true};
        return LIFE_EV_START;
    }
    return LIFE_EVENTS;
}

void service_event(struct service *s, enum life_event ev) {
    while (ev != LIFE_EVENTS) {
        enum life from = s->life;
        enum life to = life_next(from, ev);
        if (to == LIFE_STAY)
            return;
        s->life = to;
        note_entry(s, from);
        ev = own_event(s);
        bool stays = ev == LIFE_EVENTS;
        /* May come back here for what is over at once. A task that is to be stopped must be waited for, too. */
        if (stays || to == LIFE_RUNNING)
            s->ops->enter(s, to);
        if (stays && s->life == to && to == LIFE_RUNNING)
            begin_health(s, from == LIFE_ADOPT);
        if (stays && s->life == to)
            s->changed(s, s->data);
    }
}

void service_start(struct service *s) {
    if (!life_is_down(s->life) && !s->record.wanted) {
        s->restart = true; /* it was told to stop: up again from there, and its end is no failure */
        service_event(s, LIFE_EV_START);
        return;
    }
    s->record.wanted = true;
    if (life_is_down(s->life)) {
        s->record = (struct life_record){.wanted = true};
        s->settled = s->onfail_due = s->queued = false;
        s->backoff_ms = 0;
        if (!s->timed)
            s->asked_ns = clock_ns();
        s->timed = true;
    }
    service_event(s, LIFE_EV_START);
}

/* `again`: and then up. A start that is under way may go on for as long as its end could take. */
static void take_down(struct service *s, bool again) {
    bool begins = s->record.wanted && life_is_being_made(s->life);
    bool gone = s->life == LIFE_BACKOFF && s->again;

    s->record.wanted = false;
    s->restart = again; /* before the event: it may be down at once */
    if (begins)
        s->ops->set_timer(s, TIMER_LIFE, s->policy.stop_timeout_ms);
    service_event(s, gone ? LIFE_EV_NOT_FOUND : LIFE_EV_STOP);
}

void service_stop(struct service *s) {
    bool was_queued = s->queued;

    s->queued = false;
    if (was_queued && s->unseen) {
        s->record.wanted = s->restart = false;
        s->life = LIFE_DETACHED;
        service_event(s, *s->connection ? LIFE_EV_READY : LIFE_EV_STOP);
        return;
    }
    if (was_queued && life_is_down(s->life)) {
        s->record.wanted = s->restart = false;
        s->settled = true; /* its start is off: nobody need wait for it */
        s->changed(s, s->data);
    }
    take_down(s, false);
}

void service_leave(struct service *s) {
    bool gone = s->life == LIFE_STOPPING && loop_has(&s->overdue); /* only containerd has not said so */

    if (s->life != LIFE_RUNNING && s->life != LIFE_KILLING && !gone) {
        service_stop(s);
        return;
    }
    s->record.wanted = s->restart = false;
    service_event(s, LIFE_EV_LOST);
}

void service_restart(struct service *s) {
    if (life_is_down(s->life)) {
        service_start(s);
        return;
    }
    take_down(s, true);
}

void service_fail(struct service *s, const char *what, const char *why) {
    s->record.failed |= !life_is_looking(s->life);
    (void)snprintf(s->error, sizeof(s->error), "could not %s: %s", what, why);
    if (life_is_being_made(s->life))
        acts_stamp_failure(s);
    service_event(s, LIFE_EV_ERROR);
}

/* The runtime reports a signal as 128 and its number, as shells do, and cannot tell it from such a status. */
static void describe_exit(struct service *s, uint32_t status, bool oom) {
    bool by_signal = status > 128 && status < 128 + 65;
    char *out = s->exit_reason;
    const size_t len = sizeof(s->exit_reason);

    if (oom)
        (void)snprintf(out, len, "was killed: out of memory");
    else if (by_signal)
        (void)snprintf(out, len, "was ended by signal %u (%s)%s", status - 128, strsignal((int)status - 128),
                       s->life == LIFE_RUNNING ? ", not by svcd" : "");
    else
        (void)snprintf(out, len, "exited with status %u", status);
}

void service_exited(struct service *s, uint32_t exit_status, bool oom) {
    bool unfit = s->unfit && s->record.wanted; /* then that is why */

    s->alive = false;
    s->record.ended = s->exit_known = true;
    s->exit_status = exit_status;
    s->pid = 0;
    describe_exit(s, exit_status, oom);
    s->record.failed = unfit || (exit_status != 0 && s->record.wanted);
    if (!unfit) {
        s->error[0] = '\0'; /* an end that was asked for, or with status 0, is no error */
        if (s->record.failed)
            (void)snprintf(s->error, sizeof(s->error), "it %s", s->exit_reason);
    }
    service_event(s, LIFE_EV_EXIT);
}

void service_not_found(struct service *s) {
    bool gone = s->alive && s->life == LIFE_ADOPT;

    if (s->alive) {
        s->alive = s->exit_known = false;
        s->record.ended = true;
        s->record.failed = s->record.wanted;
        s->pid = 0;
        (void)snprintf(s->exit_reason, sizeof(s->exit_reason),
                       "is gone with its task: its shim was killed, or somebody has deleted it");
        (void)snprintf(s->error, sizeof(s->error), "%s%s", s->record.failed ? "it " : "",
                       s->record.failed ? s->exit_reason : "");
    }
    service_event(s, gone ? LIFE_EV_EXIT : LIFE_EV_NOT_FOUND);
}
