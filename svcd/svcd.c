/* SPDX-License-Identifier: Apache-2.0 */
/* The supervisor: one loop over containerd's connection, the services' timers, the control socket and signals. */
#include "svcd/svcd.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/fdutil.h"
#include "lib/log.h"
#include "lib/timeline.h"
#include "svcd/acts.h"
#include "svcd/memory.h"
#include "svcd/onfail.h"
#include "svcd/order.h"
#include "svcd/process.h"

struct service *svcd_find(struct svcd *d, const char *name) {
    for (size_t i = 0; i < d->services_len; i++)
        if (!strcmp(d->services[i].name, name))
            return &d->services[i];
    return NULL;
}

static bool all_down(const struct svcd *d) {
    for (size_t i = 0; i < d->services_len; i++)
        if (!service_is_over(&d->services[i]))
            return false;
    return true;
}

static void start_next(struct svcd *d);

/* Those whose turn it is: nobody that starts behind them is left. */
static void stop_next(struct svcd *d) {
    for (size_t i = 0; i < d->services_len; i++) {
        struct service *s = &d->services[i];
        if (!s->told && order_may_stop(s)) {
            s->told = true;
            service_leave(s); /* a change: may come back here */
        }
    }
}

static void end_when_all_is_down(struct svcd *d) {
    if (!d->stopping || d->ending || !all_down(d))
        return;
    d->ending = true;
    containerd_stop(&d->containerd);
}

static size_t on_their_way(const struct svcd *d);

/* The last of those that were on their way has arrived, or is not: what starting took of the heap is given back. */
static void rest_from_starting(struct svcd *d) {
    bool starting = on_their_way(d) > 0;

    if (d->starting && !starting)
        (void)malloc_trim(0);
    d->starting = starting;
}

static void on_logs_written(void *data) {
    const struct svcd *d = data;

    for (size_t i = 0; i < d->services_len; i++)
        if (!life_is_down(d->services[i].life))
            acts_bound_logs(&d->services[i]);
}

static void watch_logs(struct svcd *d, const struct service *s) {
    struct err e = {0};

    if (s->life == LIFE_RUNNING && acts_logs_to_files(s) && logbound_watch(&d->logs, &e) < 0)
        log_warning("%s", e.msg);
}

static void on_service_changed(struct service *s, void *data) {
    struct svcd *d = data;

    if (!d->stopping) /* then it is our end that takes them down, and the next svcd brings them back */
        memory_keep(d->memory_dir, s);
    if (s->life == LIFE_FAILED && s->onfail_due && !d->stopping) {
        s->onfail_due = false;
        (void)onfail_act(s->name, s->policy.onfail);
    }
    control_service_changed(&d->control, s);
    if (!d->stopping && d->containerd.ready)
        start_next(d);
    up_changed(&d->up, s);
    rest_from_starting(d);
    watch_logs(d, s);
    if (d->stopping)
        stop_next(d);
    end_when_all_is_down(d);
}

static bool has_a_turn(const struct service *s, void *data);

static void on_doubt(struct service *s, void *data) {
    struct svcd *d = data;

    (void)s;
    containerd_doubt(&d->containerd);
}

/* How long PID 1 has to wait for us, if it is to let every service end in peace. */
static void write_stop_file(const struct svcd *d) {
    struct err e = {0};
    char text[32];

    uint64_t ms = order_stop_ms(d->services, d->services_len) + CONTAINERD_STOP_MS;
    int n = snprintf(text, sizeof(text), "%llu\n", (unsigned long long)(ms + 999) / 1000);
    if (write_file_atomic(STOP_FILE, text, (size_t)n, 0644, false, &e) < 0)
        log_warning("%s", e.msg);
}

/* Else it would be started again and again, for ever in vain. What is missing in a directory may yet come. */
static bool is_directory(const char *dir, const char *name) {
    AUTO_FREE char *path = path_join(dir, name);
    struct stat st;

    int r = !path ? -ENOMEM : stat(path, &st) < 0 ? -errno : S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
    if (r < 0)
        log_error("could not use %s/%s as a service: %s", dir, name, strerror(-r));
    return r == 0;
}

static int load_services(struct svcd *d, const char *dir, struct err *e) {
    AUTO_NAMES struct names names = {0};
    int r = list_dir(dir, &names, e);

    if (r == -ENOENT)
        return 0;
    if (r < 0)
        return r;
    if (names.len > SERVICES_MAX) {
        log_error("%zu services in %s: only the first %d are used", names.len, dir, SERVICES_MAX);
        names.len = SERVICES_MAX;
    }
    d->services = calloc(names.len + 1, sizeof(*d->services));
    if (!d->services)
        return err_errno(e, -ENOMEM, "could not load the services");
    for (size_t i = 0; i < names.len; i++) {
        struct service *s = &d->services[d->services_len];
        if (!is_directory(dir, names.v[i]))
            continue;
        if (service_init(s, dir, names.v[i], &d->loop, &d->containerd.grpc, on_service_changed, d, e) < 0) {
            log_error("%s", e->msg);
            service_fini(s);
            continue;
        }
        s->turn = has_a_turn;
        s->doubt = on_doubt;
        d->services_len++;
    }
    if (order_resolve(d->services, d->services_len) < 0)
        log_error("could not order the services: out of memory; they start without one");
    return 0;
}

/* Starting takes memory for a shim and several runcs: not more at once than the processors can work on. */
static size_t starts_max(void) {
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);

    return cpus < STARTS_MIN / 2 ? STARTS_MIN : 2 * (size_t)cpus;
}

static size_t on_their_way(const struct svcd *d) {
    size_t n = 0;

    for (size_t i = 0; i < d->services_len; i++)
        n += life_is_starting(d->services[i].life);
    return n;
}

static struct service *next_queued(const struct svcd *d) {
    for (size_t i = 0; i < d->services_len; i++)
        if (d->services[i].queued && order_may_start(&d->services[i]))
            return &d->services[i];
    return NULL;
}

static void say_what_is_missing(const struct service *s) {
    for (size_t i = 0; i < s->after_len; i++)
        if (!service_is_ready(s->after[i]) && s->after[i]->record.wanted && service_trouble(s->after[i]))
            log_warning("service %s: %s has not come up; starting all the same", s->name, s->after[i]->name);
}

static bool has_a_turn(const struct service *s, void *data) {
    (void)s;
    return on_their_way(data) < starts_max();
}

/* Who has waited longest: one that crashes all the time comes behind the others. */
static struct service *next_due(const struct svcd *d) {
    struct service *first = NULL;

    for (struct service *s = d->services; s && s < d->services + d->services_len; s++)
        if (s->due && (!first || s->entered_ns < first->entered_ns))
            first = s;
    return first;
}

static void start_from_the_queue(struct service *s) {
    s->queued = false;
    say_what_is_missing(s);
    if (life_is_down(s->life)) {
        unsigned attempts = s->record.attempts; /* of the svcd before */
        service_start(s);
        s->record.attempts = attempts;
    }
}

/* A start is a change, and so comes back here: everything is looked at anew for each. */
static void start_next(struct svcd *d) {
    const size_t max = starts_max();

    while (on_their_way(d) < max) {
        struct service *queued = next_queued(d);
        struct service *due = queued ? NULL : next_due(d);
        if (queued)
            start_from_the_queue(queued);
        else if (due)
            service_turn(due);
        else
            break;
    }
}

static void start_all(struct svcd *d) {
    d->start_due = false;
    for (size_t i = 0; i < d->services_len; i++) {
        struct service *s = &d->services[i];
        if (life_is_down(s->life)) {
            s->queued = true;
            s->settled = false;
            s->record.attempts = 0;
        }
    }
    start_next(d);
}

/* What was on its way up waits for its turn; what was to stop goes on with that; all else is looked at. */
static void resume(struct svcd *d, struct service *s) {
    bool known = memory_take_over(d->memory_dir, s);

    s->queued = !known || (s->life == LIFE_DETACHED && s->record.wanted && !s->alive);
    s->unseen = s->queued && known;
    if (s->queued) {
        s->life = LIFE_DOWN;
        s->pid = process_is_there(s) ? s->pid : 0;
    } else if (!s->record.wanted) {
        service_event(s, LIFE_EV_STOP);
    }
}

/* Again and again, as often as containerd was restarted: what is down by then stays so. */
static void on_containerd_ready(void *data) {
    struct svcd *d = data;

    if (d->stopping)
        return; /* what is left to do is done without it */
    for (size_t i = 0; i < d->services_len; i++)
        service_event(&d->services[i], LIFE_EV_READY);
    if (d->start_due)
        start_all(d);
    else
        start_next(d);
}

static void on_containerd_lost(void *data) {
    struct svcd *d = data;

    for (size_t i = 0; i < d->services_len; i++)
        service_event(&d->services[i], LIFE_EV_LOST);
}

static void on_containerd_event(void *data, const struct ctrd_event *ev) {
    static const char *const said[] = {
        [CTRD_EV_OOM] = "the kernel has killed a process of it: out of memory",
        [CTRD_EV_PAUSED] = "somebody has paused it",
        [CTRD_EV_RESUMED] = "somebody has resumed it",
        [CTRD_EV_TASK_DELETED] = "somebody else has deleted its task",
        [CTRD_EV_CONTAINER_DELETED] = "somebody else has deleted its container",
    };
    struct svcd *d = data;
    struct service *s = svcd_find(d, ev->id);

    if (!s || !said[ev->kind] || strcmp(ev->ns, service_namespace(s)) != 0)
        return;
    if (ev->kind == CTRD_EV_OOM)
        acts_out_of_memory(s);
    if (ev->kind == CTRD_EV_PAUSED || ev->kind == CTRD_EV_RESUMED)
        s->paused = ev->kind == CTRD_EV_PAUSED;
    if (s->life == LIFE_RUNNING || ev->kind == CTRD_EV_OOM) /* elsewhere it is we who delete */
        log_warning("service %s: %s", s->name, said[ev->kind]);
}

static void on_containerd_ended(void *data) {
    struct svcd *d = data;

    loop_stop(&d->loop);
}

void svcd_resume(struct svcd *d) {
    for (size_t i = 0; i < d->services_len; i++)
        resume(d, &d->services[i]);
    containerd_start(&d->containerd);
    up_begin(&d->up);
}

void svcd_start_containerd(struct svcd *d) {
    containerd_start(&d->containerd);
}

void svcd_system_init(struct svcd *d) {
    struct err e = {0};

    d->start_due = true;
    if (write_file_atomic(STARTED_FILE, "", 0, 0644, false, &e) < 0)
        log_warning("%s", e.msg); /* a restarted svcd would wait to be asked again */
    containerd_start(&d->containerd);
    if (d->containerd.ready)
        start_all(d);
    up_begin(&d->up);
}

/* --- the end --- */

static void say_later(struct svcd *d);

/* Who was about to start, or to be looked at, waits for containerd: its process is stopped without that, if there is
 * one.
 */
static void give_up_containerd(struct service *s) {
    log_notice("service %s is not down yet: %s", s->name, service_state_name(s));
    if (s->told && (life_is_starting(s->life) || s->life == LIFE_BACKOFF))
        service_event(s, LIFE_EV_LOST);
}

/* Who holds on, for whoever waits for the machine to go down. */
static void on_still_there(struct loop_source *src, void *data) {
    struct svcd *d = data;

    (void)src;
    for (size_t i = 0; i < d->services_len; i++) {
        struct service *s = &d->services[i];
        if (s->life == LIFE_STOPPING || s->life == LIFE_LONE_STOPPING)
            log_notice("service %s has been stopping for %llu s of its %llu s", s->name,
                       (unsigned long long)(clock_ns() - s->entered_ns) / 1000000000u,
                       (unsigned long long)s->policy.stop_timeout_ms / 1000);
        else if (!service_is_over(s))
            give_up_containerd(s);
    }
    say_later(d);
}

static void say_later(struct svcd *d) {
    (void)loop_set_timer(&d->loop, &d->still_there, STILL_THERE_MS, on_still_there, d);
}

/* Whoever is started behind one that is killed now goes on with it. */
static void note_stopping(void) {
    struct err e = {0};

    if (write_file_atomic(STOPPING_FILE, "", 0, 0644, false, &e) < 0)
        log_warning("%s", e.msg);
}

static void stop(struct svcd *d) {
    if (d->stopping)
        return;
    d->stopping = true;
    note_stopping();
    for (size_t i = 0; i < d->services_len; i++)
        if (!life_is_down(d->services[i].life))
            memory_keep_for_return(d->memory_dir, &d->services[i]);
    stop_next(d);
    say_later(d);
    end_when_all_is_down(d);
}

static void on_signal(struct loop_source *s, const struct signalfd_siginfo *info, void *data) {
    (void)s;
    if (info->ssi_signo == SIGTERM)
        stop(data);
}

static int start_loop(struct svcd *d, struct err *e) {
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGPIPE);
    int r = loop_init(&d->loop);
    if (!r)
        r = loop_add_signals(&d->loop, &d->signals, &set, on_signal, d);
    return r < 0 ? err_errno(e, r, "could not start the event loop") : 0;
}

/* The console may be stopped, and others write there too: our way to it does not block, and theirs stays as it is. */
static int open_own_stderr(void) {
    int fd = open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

    return fd < 0 ? STDERR_FILENO : fd;
}

int svcd_main(void) {
    static struct svcd d;
    struct err e = {0};

    log_init("svcd", LOG_LEVEL_NOTICE);
    log_set_fd(open_own_stderr());
    if (write_sysfile("/proc/self/oom_score_adj", OOM_SCORE, &e) < 0)
        log_warning("%s", e.msg);
    d.memory_dir = MEMORY_DIR;
    up_init(&d.up, &d, UP_FILE, TIMELINE_PATH);
    logbound_init(&d.logs, &d.loop, SERVICE_LOG_DIR, on_logs_written, &d);
    int r = start_loop(&d, &e);
    if (!r)
        r = mkdir_p(d.memory_dir, 0755, &e);
    if (!r)
        r = control_start(&d.control, CONTROL_SOCKET, &d, &d.loop, &e);
    if (r < 0) {
        log_error("%s", e.msg);
        return 1;
    }
    containerd_init(&d.containerd, &d.loop, on_containerd_ready, on_containerd_lost, on_containerd_ended, &d);
    d.containerd.on_event = on_containerd_event;
    if (load_services(&d, SERVICES_DIR, &e) < 0)
        log_error("%s", e.msg);
    write_stop_file(&d);
    if (access(STARTED_FILE, F_OK) == 0)
        svcd_resume(&d);
    if (access(STOPPING_FILE, F_OK) == 0)
        stop(&d);
    r = loop_run(&d.loop);
    (void)unlink(STOPPING_FILE); /* all are stopped: the next svcd brings them back */
    control_stop(&d.control);
    logbound_fini(&d.logs);
    containerd_log_fini(&d.containerd.log);
    for (size_t i = 0; i < d.services_len; i++)
        service_fini(&d.services[i]);
    free(d.services);
    if (r < 0)
        log_error("the event loop ended: %s", strerror(-r));
    return r < 0;
}
