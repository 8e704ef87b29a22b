/* SPDX-License-Identifier: Apache-2.0 */
#include "svcd/up.h"

#include "lib/fdutil.h"
#include "lib/log.h"
#include "lib/timeline.h"
#include "svcd/stage.h"
#include "svcd/svcd.h"

#define NS_PER_MS 1000000u

enum verdict { UP_PENDING, UP_SETTLING, UP_READY, UP_DONE, UP_FAILED, UP_VERDICTS };

/* A first look, or a second one, is still to tell whether it is well: that is a few of its own intervals. */
static bool health_is_open(const struct service *s) {
    return s->policy.health.kind != PROBE_NONE && (s->health.now == HEALTH_READY || s->health.now == HEALTH_FAILING);
}

/* One that is never started again is left to run. */
static bool runs_unhealthy(const struct service *s) {
    return s->life == LIFE_RUNNING && s->health.now == HEALTH_UNHEALTHY;
}

static enum verdict judge(const struct service *s) {
    if (s->queued)
        return UP_PENDING;
    if (s->life == LIFE_FAILED || runs_unhealthy(s))
        return UP_FAILED;
    if (service_is_over(s))
        return UP_DONE;
    if (service_is_ready(s) && (!health_is_open(s) || s->faults >= UP_FAULTS_MAX))
        return clock_ns() - s->entered_ns < (uint64_t)UP_SETTLE_MS * NS_PER_MS && s->faults < UP_FAULTS_MAX
                   ? UP_SETTLING
                   : UP_READY;
    return s->faults < UP_FAULTS_MAX ? UP_PENDING : UP_FAILED;
}

static void stamp_unhealthy(const struct up *u, const struct service *s) {
    char detail[sizeof(s->health_error) + 32];

    (void)snprintf(detail, sizeof(detail), "it is unhealthy: %s", s->health_error);
    stage_stamp(u->timeline, s, s->entered_ns, false, detail);
}

/* Those that have ended once and are fine now are told so: the last word counts. */
static void count(const struct up *u, unsigned counts[UP_VERDICTS]) {
    const struct svcd *d = u->svcd;

    for (size_t i = 0; i < d->services_len; i++) {
        const struct service *s = &d->services[i];
        enum verdict v = judge(s);
        counts[v]++;
        if (v == UP_READY && s->faults > 0 && s->faults < UP_FAULTS_MAX)
            stage_stamp(u->timeline, s, s->entered_ns, true, "it was started again");
        if (runs_unhealthy(s))
            stamp_unhealthy(u, s);
    }
}

static void announce(struct up *u) {
    unsigned counts[UP_VERDICTS] = {0};
    struct err e = {0};
    char detail[96];

    u->announced = true;
    count(u, counts);
    (void)snprintf(detail, sizeof(detail), "%u ready, %u done, %u failed", counts[UP_READY], counts[UP_DONE],
                   counts[UP_FAILED]);
    const uint64_t now_ns = clock_ns();
    const struct timeline_stage t = {"services", "", now_ns, now_ns, true, detail, NULL};
    (void)timeline_append(u->timeline, &t);
    if (write_file_atomic(u->file, "", 0, 0644, false, &e) < 0)
        log_warning("%s", e.msg);
}

/* Services that containerd keeps from starting are not waited for either. */
static bool is_hopeless(const struct svcd *d) {
    return !d->containerd.ready && d->containerd.start_faults >= UP_FAULTS_MAX;
}

static bool is_settled(const struct svcd *d, bool *settling) {
    for (size_t i = 0; i < d->services_len; i++) {
        enum verdict v = judge(&d->services[i]);
        if (v == UP_PENDING)
            return false;
        *settling |= v == UP_SETTLING;
    }
    return !d->start_due;
}

static void on_timer(struct loop_source *s, void *data);

static void check(struct up *u) {
    const struct svcd *d = u->svcd;
    bool settling = false;

    if (u->announced || !u->begun || d->stopping)
        return;
    bool is_up = is_hopeless(d) || (is_settled(d, &settling) && !settling);
    bool waits =
        !is_up && (loop_has(&u->timer) || loop_set_timer(&u->svcd->loop, &u->timer, UP_SETTLE_MS, on_timer, u) == 0);
    if (!waits) /* or it could not be waited: better said too early than never */
        announce(u);
}

static void on_timer(struct loop_source *s, void *data) {
    (void)s;
    check(data);
}

void up_begin(struct up *u) {
    u->begun = true;
    check(u);
}

void up_changed(struct up *u, struct service *s) {
    bool has_ended = (s->life == LIFE_BACKOFF || s->life == LIFE_FAILED) && s->record.failed;

    if (has_ended && s->entered_ns != s->fault_ns && !u->svcd->stopping) {
        s->fault_ns = s->entered_ns;
        s->faults++;
        if (s->faults <= UP_FAULTS_MAX || s->life == LIFE_FAILED)
            stage_stamp(u->timeline, s, s->entered_ns, false, s->error);
    }
    check(u);
}

void up_init(struct up *u, struct svcd *d, const char *file, const char *timeline) {
    *u = (struct up){.svcd = d, .file = file, .timeline = timeline, .announced = access(file, F_OK) == 0};
}
