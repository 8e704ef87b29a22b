/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/respawn.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "lib/log.h"
#include "lib/spawn.h"

#define DELAY_MIN_MS 100
#define DELAY_MAX_MS 5000
#define DELAY_MAX_STORE_MS 1000 /* others wait at the descriptors that are kept for it */
#define SETTLED_MS 10000

unsigned respawn_next_delay(unsigned delay_ms, uint64_t lived_ms) {
    if (lived_ms >= SETTLED_MS || delay_ms == 0)
        return DELAY_MIN_MS;
    return delay_ms >= DELAY_MAX_MS / 2 ? DELAY_MAX_MS : 2 * delay_ms;
}

static void start_now(struct respawn *d);

static void on_timer(struct loop_source *s, void *data) {
    (void)s;
    start_now(data);
}

static void start_later(struct respawn *d) {
    uint64_t lived = clock_ms() - d->started_ms;

    d->delay_ms = respawn_next_delay(d->delay_ms, lived);
    if (d->store && d->delay_ms > DELAY_MAX_STORE_MS)
        d->delay_ms = DELAY_MAX_STORE_MS;
    if (loop_set_timer(d->loop, &d->timer, d->delay_ms, on_timer, d) < 0)
        start_now(d); /* no timer to be had: without a pause, then */
}

static void start_now(struct respawn *d) {
    struct err e = {0};
    struct spawn s = SPAWN_INIT;

    s.argv = d->argv;
    s.setsid = true;
    if (d->store)
        fdstore_prepare(d->store, &s);
    d->started_ms = clock_ms();
    if (spawn(&s, &d->pid, NULL, &e) == 0)
        return;
    log_error("%s", e.msg);
    d->pid = 0;
    if (loop_set_timer(d->loop, &d->timer, DELAY_MAX_MS, on_timer, d) < 0)
        log_error("could not set a timer: %s stays down", d->argv[0]);
}

void respawn_start(struct respawn *d, struct loop *l, const char *const *argv) {
    respawn_start_with_store(d, l, argv, NULL);
}

void respawn_start_with_store(struct respawn *d, struct loop *l, const char *const *argv, struct fdstore *store) {
    *d = (struct respawn){.argv = argv, .loop = l, .store = store};
    if (access(argv[0], X_OK) < 0) {
        if (errno != ENOENT)
            log_error("could not run %s: %s", argv[0], strerror(errno));
        return;
    }
    d->wanted = true;
    start_now(d);
}

bool respawn_reaped(struct respawn *d, pid_t pid, int status) {
    char reason[96];

    if (d->pid == 0 || pid != d->pid)
        return false;
    d->pid = 0;
    if (!d->wanted)
        return true;
    start_later(d);
    log_error("%s %s; starting it again in %u ms", d->argv[0], exit_reason(status, reason, sizeof(reason)),
              d->delay_ms);
    return true;
}

bool respawn_stop(struct respawn *d, int sig) {
    d->wanted = false;
    if (d->loop)
        loop_remove(d->loop, &d->timer);
    if (d->pid > 0 && sig) {
        (void)kill(d->pid, sig);
        (void)kill(d->pid, SIGCONT); /* a stopped one would not hear it */
    }
    return d->pid > 0;
}
