/* SPDX-License-Identifier: Apache-2.0 */
#include "init/recorder.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "init/console.h"
#include "init/meminfo.h"
#include "init/report.h"
#include "lib/log.h"
#include "lib/spawn.h"

#define TICK_MS 250
#define LAST_MS 10000

static void sample(struct recorder *r) {
    struct meminfo m;

    if (meminfo_read(&m) < 0 && !r->said) {
        report_failed("read", "/proc/meminfo");
        r->said = true;
    }
    if (m.available_kib && (!r->least_kib || m.available_kib < r->least_kib))
        r->least_kib = m.available_kib;
}

const char *const *recorder_argv(struct recorder *r, const char *name, const char *state, const char *end) {
    const unsigned long long numbers[] = {r->least_kib, console_lost(), r->relay ? r->relay->lost_ever : 0};
    const char *step = r->steps ? steps_current(r->steps) : NULL;

    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
        (void)snprintf(r->numbers[i], sizeof(r->numbers[i]), "%llu", numbers[i]);
    r->argv[0] = name;
    r->argv[1 + RECORD_STATE] = state;
    r->argv[1 + RECORD_END] = end;
    r->argv[1 + RECORD_RUNNING] = step ? step : "";
    r->argv[1 + RECORD_LEAST_KIB] = r->numbers[0];
    r->argv[1 + RECORD_LINES] = r->numbers[1];
    r->argv[1 + RECORD_BYTES] = r->numbers[2];
    r->argv[1 + RECORD_WORDS] = NULL;
    return r->argv;
}

static void start_worker(struct recorder *r, const char *state) {
    struct err e = {0};
    struct spawn s = SPAWN_INIT;

    s.argv = recorder_argv(r, RECORD_PROGRAM, state, "");
    if (spawn(&s, &r->pid, NULL, &e) < 0) {
        r->pid = 0;
        log_error("%s", e.msg);
    }
}

static void tick(struct recorder *r);

static void on_tick(struct loop_source *s, void *data) {
    (void)s;
    tick(data);
}

static void tick(struct recorder *r) {
    sample(r);
    if (r->next_s && clock_ms() / 1000 >= r->next_s && r->pid == 0) {
        r->next_s *= 2;
        start_worker(r, "booting");
    }
    (void)loop_set_timer(r->loop, &r->tick, TICK_MS, on_tick, r); /* without it there is less to tell */
}

void recorder_stop(struct recorder *r) {
    if (!r->loop)
        return;
    sample(r);
    loop_remove(r->loop, &r->tick);
    loop_remove(r->loop, &r->up);
    if (r->inotify_fd >= 0)
        (void)close(r->inotify_fd);
    r->inotify_fd = -1;
    r->is_up = true;
    r->up_due = false;
}

void recorder_up(struct recorder *r) {
    if (!r->loop || r->is_up)
        return;
    recorder_stop(r);
    if (r->pid)
        r->up_due = true; /* the last word is not that it boots */
    else
        start_worker(r, "up");
}

static void on_change(struct loop_source *s, uint32_t events, void *data) {
    char changes[4096];

    (void)events;
    while (read(s->fd, changes, sizeof(changes)) > 0)
        ;
    if (access(RECORDER_UP_FILE, F_OK) == 0)
        recorder_up(data);
}

bool recorder_reaped(struct recorder *r, pid_t pid) {
    if (!r->pid || pid != r->pid)
        return false;
    r->pid = 0;
    if (r->up_due) {
        r->up_due = false;
        start_worker(r, "up");
    }
    return true;
}

void recorder_start(struct recorder *r, struct loop *l, const struct relay *relay, const struct steps *steps,
                    unsigned first_s) {
    *r = (struct recorder){.loop = l, .relay = relay, .steps = steps, .next_s = first_s};
    r->inotify_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    int failed = r->inotify_fd < 0 || inotify_add_watch(r->inotify_fd, "/run/keelson", IN_CREATE | IN_MOVED_TO) < 0
                     ? -errno
                     : loop_add_fd(l, &r->up, r->inotify_fd, EPOLLIN, on_change, r);
    if (failed < 0)
        log_error("could not watch for %s: %s", RECORDER_UP_FILE, strerror(-failed));
    tick(r);
}

void recorder_last(char **argv) {
    struct spawn s = SPAWN_INIT;
    struct err e = {0};
    int status;

    s.argv = (const char *const *)argv;
    s.program = RECORD_PROGRAM;
    if (spawn_wait(&s, LAST_MS, &status, &e) < 0)
        log_error("%s", e.msg);
}
