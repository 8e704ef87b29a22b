/* SPDX-License-Identifier: Apache-2.0 */
#include "svcd/service.h"

#include <errno.h>
#include <string.h>

#include "lib/fdutil.h"
#include "lib/log.h"
#include "svcd/acts.h"

static int check_name(const char *name, struct err *e) {
    if (!*name || strlen(name) >= SERVICE_NAME_MAX || strchr(name, '/') || !strcmp(name, ".") || !strcmp(name, ".."))
        return err_set(e, -EINVAL, "could not use service \"%.140s\": a name has 1 to %d characters and no slash", name,
                       SERVICE_NAME_MAX - 1);
    return 0;
}

int service_init(struct service *s, const char *dir, const char *name, struct loop *l, struct grpc **connection,
                 service_changed_fn *changed, void *data, struct err *e) {
    int r = check_name(name, e);

    *s = (struct service){.ops = &service_acts, .loop = l, .connection = connection, .changed = changed, .data = data};
    if (r < 0)
        return r;
    (void)snprintf(s->name, sizeof(s->name), "%s", name);
    s->bundle = path_join(dir, name);
    return s->bundle ? 0 : err_errno(e, -ENOMEM, "could not use service %s", name);
}

void service_fini(struct service *s) {
    if (s->loop)
        loop_remove(s->loop, &s->timer);
    runtime_free(&s->runtime);
    free(s->bundle);
    free(s->stdout_path);
    free(s->stderr_path);
    *s = (struct service){0};
}

static void on_timer(struct loop_source *src, void *data) {
    (void)src;
    service_event(data, LIFE_EV_TIMEOUT);
}

static void set_timer(struct service *s, unsigned ms) {
    loop_remove(s->loop, &s->timer);
    if (ms && loop_set_timer(s->loop, &s->timer, ms, on_timer, s) < 0)
        log_error("service %s: could not set a timer for \"%s\"", s->name, life_name(s->life));
}

/* What goes on when nothing of it is left in containerd. */
static enum life_event decide(const struct service *s) {
    if (!s->wanted)
        return LIFE_EV_STOP;
    if (s->failed)
        return LIFE_EV_ERROR;
    return s->ended ? LIFE_EV_STOP : LIFE_EV_START;
}

static void enter_backoff(struct service *s) {
    s->backoff_ms = life_backoff_ms(s->backoff_ms, s->started_ms ? clock_ms() - s->started_ms : 0);
    s->started_ms = 0; /* a life counts once; the next attempt may not come that far */
    set_timer(s, s->backoff_ms);
    log_error("service %s: %s; %s in %u ms", s->name, *s->error ? s->error : "it is not running",
              s->wanted ? "starting it again" : "looking again", s->backoff_ms);
}

/* Bookkeeping that belongs to the state itself, whatever the system is. */
static void note_entry(struct service *s, enum life from) {
    s->entered_ns = clock_ns();
    set_timer(s, life_deadline_ms(s->life));
    if (s->life == LIFE_PREPARE) {
        s->generation++;
        s->ended = s->failed = false;
    } else if (s->life == LIFE_RUNNING) {
        s->settled = true;
        s->started_ms = clock_ms();
    } else if (s->life == LIFE_BACKOFF) {
        s->settled = true;
        enter_backoff(s);
    } else if (s->life == LIFE_DOWN) {
        s->settled = true;
        s->pid = 0;
    } else if (s->life == LIFE_ADOPT && from == LIFE_BACKOFF) {
        s->failed = s->ended = false;
        s->restarts++;
    }
}

/* What a state decides by itself, LIFE_EVENTS if nothing. */
static enum life_event own_event(struct service *s) {
    if (s->life == LIFE_DECIDE)
        return decide(s);
    if (s->life == LIFE_RUNNING && !s->wanted)
        return LIFE_EV_STOP;
    if (s->life == LIFE_DOWN && s->restart) {
        s->restart = false;
        s->wanted = true;
        s->ended = s->failed = false;
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
        if (stays && s->life == to)
            s->changed(s, s->data);
    }
}

void service_start(struct service *s) {
    if (s->life != LIFE_DOWN && !s->wanted) {
        s->restart = true; /* it was told to stop: up again from there, and its end is no failure */
        service_event(s, LIFE_EV_START);
        return;
    }
    s->wanted = true;
    if (s->life == LIFE_DOWN) {
        s->ended = s->failed = s->settled = false;
        s->backoff_ms = 0;
        if (!s->timed)
            s->asked_ns = clock_ns();
        s->timed = true;
    }
    service_event(s, LIFE_EV_START);
}

void service_stop(struct service *s) {
    s->queued = false;
    s->wanted = false;
    s->restart = false;
    service_event(s, LIFE_EV_STOP);
}

void service_restart(struct service *s) {
    if (s->life == LIFE_DOWN) {
        service_start(s);
        return;
    }
    s->wanted = false;
    s->restart = true; /* before the event: it may be down at once */
    service_event(s, LIFE_EV_STOP);
}

void service_fail(struct service *s, const char *what, const char *why) {
    s->failed = true;
    (void)snprintf(s->error, sizeof(s->error), "could not %s: %s", what, why);
    if (s->life == LIFE_PREPARE || s->life == LIFE_CREATE || s->life == LIFE_CREATE_TASK || s->life == LIFE_START)
        acts_stamp_failure(s);
    service_event(s, LIFE_EV_ERROR);
}

/* The runtime reports a signal as 128 and its number, as shells do. */
void service_exited(struct service *s, uint32_t exit_status) {
    s->ended = true;
    s->exit_status = exit_status;
    s->failed = exit_status != 0 && s->wanted;
    s->pid = 0;
    s->error[0] = '\0'; /* an end that was asked for, or with status 0, is no error */
    if (s->failed && exit_status > 128 && exit_status < 128 + 65)
        (void)snprintf(s->error, sizeof(s->error), "it was ended by signal %u (%s)", exit_status - 128,
                       strsignal((int)exit_status - 128));
    else if (s->failed)
        (void)snprintf(s->error, sizeof(s->error), "it exited with status %u", exit_status);
    service_event(s, LIFE_EV_EXIT);
}
