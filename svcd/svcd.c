/* SPDX-License-Identifier: Apache-2.0 */
/* The supervisor: one loop over containerd's connection, the services' timers, the control socket and signals. */
#include "svcd/svcd.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>

#include "lib/fdutil.h"
#include "lib/log.h"

struct service *svcd_find(struct svcd *d, const char *name) {
    for (size_t i = 0; i < d->services_len; i++)
        if (!strcmp(d->services[i].name, name))
            return &d->services[i];
    return NULL;
}

static bool all_down(const struct svcd *d) {
    for (size_t i = 0; i < d->services_len; i++)
        if (d->services[i].life != LIFE_DOWN)
            return false;
    return true;
}

/* A service that hangs on a containerd that is gone cannot be stopped through it. */
static bool nothing_to_wait_for(const struct svcd *d) {
    return all_down(d) || !d->containerd.ready;
}

/* Whether a service is down is not to be seen in containerd: the next svcd must not run a one-shot once more. */
static int open_down_file(const struct svcd *d, const struct service *s, int flags) {
    AUTO_FREE char *path = path_join(d->down_dir, s->name);

    return path ? open(path, flags | O_CLOEXEC | O_NOFOLLOW, 0644) : -1;
}

static bool was_down(const struct svcd *d, const struct service *s) {
    AUTO_CLOSE int fd = open_down_file(d, s, O_RDONLY);

    return fd >= 0;
}

static void remember(const struct svcd *d, const struct service *s) {
    if (s->life == LIFE_DOWN) {
        AUTO_CLOSE int fd = open_down_file(d, s, O_WRONLY | O_CREAT);
        if (fd < 0)
            log_warning("could not note in %s that service %s is down", d->down_dir, s->name);
    } else {
        AUTO_FREE char *path = path_join(d->down_dir, s->name);
        if (path)
            (void)unlink(path);
    }
}

static void start_queued(struct svcd *d);

static void on_service_changed(struct service *s, void *data) {
    struct svcd *d = data;

    if (!d->stopping) /* then it is our end that takes them down, and the next svcd brings them back */
        remember(d, s);
    control_service_changed(&d->control, s);
    if (!d->stopping && d->containerd.ready)
        start_queued(d);
    if (d->stopping && d->containerd.wanted && nothing_to_wait_for(d))
        containerd_stop(&d->containerd);
}

static int load_services(struct svcd *d, struct err *e) {
    AUTO_NAMES struct names names = {0};
    int r = list_dir(SERVICES_DIR, &names, e);

    if (r == -ENOENT)
        return 0;
    if (r < 0)
        return r;
    if (names.len > SERVICES_MAX) {
        log_error("%zu services in %s: only the first %d are used", names.len, SERVICES_DIR, SERVICES_MAX);
        names.len = SERVICES_MAX;
    }
    d->services = calloc(names.len + 1, sizeof(*d->services));
    if (!d->services)
        return err_errno(e, -ENOMEM, "could not load the services");
    for (size_t i = 0; i < names.len; i++) {
        struct service *s = &d->services[d->services_len];
        if (service_init(s, SERVICES_DIR, names.v[i], &d->loop, &d->containerd.grpc, on_service_changed, d, e) < 0) {
            log_error("%s", e->msg);
            service_fini(s);
            continue;
        }
        d->services_len++;
    }
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
        n += d->services[i].life >= LIFE_ADOPT && d->services[i].life <= LIFE_START;
    return n;
}

static struct service *next_queued(const struct svcd *d) {
    for (size_t i = 0; i < d->services_len; i++)
        if (d->services[i].queued)
            return &d->services[i];
    return NULL;
}

/* A start is a change, and so comes back here: everything is looked at anew for each. */
static void start_queued(struct svcd *d) {
    const size_t max = starts_max();
    struct service *s;

    while (on_their_way(d) < max && (s = next_queued(d))) {
        s->queued = false;
        if (s->life == LIFE_DOWN)
            service_start(s);
    }
}

static void start_all(struct svcd *d) {
    bool resumes = d->resumes;

    d->start_due = d->resumes = false;
    for (size_t i = 0; i < d->services_len; i++) {
        struct service *s = &d->services[i];
        if (resumes && was_down(d, s))
            s->settled = true;
        else if (s->life == LIFE_DOWN)
            s->queued = true;
    }
    start_queued(d);
}

/* Again and again, as often as containerd was restarted: what is down by then stays so. */
static void on_containerd_ready(void *data) {
    struct svcd *d = data;

    for (size_t i = 0; i < d->services_len; i++)
        service_event(&d->services[i], LIFE_EV_READY);
    if (d->start_due && !d->stopping)
        start_all(d);
}

static void on_containerd_lost(void *data) {
    struct svcd *d = data;

    for (size_t i = 0; i < d->services_len; i++)
        service_event(&d->services[i], LIFE_EV_LOST);
}

static void on_containerd_ended(void *data) {
    struct svcd *d = data;

    loop_stop(&d->loop);
}

void svcd_system_init(struct svcd *d) {
    struct err e = {0};

    d->start_due = true;
    d->resumes = false;
    if (write_file_atomic(STARTED_FILE, "", 0, 0644, false, &e) < 0)
        log_warning("%s", e.msg); /* a restarted svcd would wait to be asked again */
    containerd_start(&d->containerd);
    if (d->containerd.ready)
        start_all(d);
}

static void stop(struct svcd *d) {
    if (d->stopping)
        return;
    d->stopping = true;
    for (size_t i = 0; i < d->services_len; i++)
        service_stop(&d->services[i]);
    if (nothing_to_wait_for(d))
        containerd_stop(&d->containerd);
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

int svcd_main(void) {
    static struct svcd d;
    struct err e = {0};

    log_init("svcd", LOG_LEVEL_NOTICE);
    if (write_sysfile("/proc/self/oom_score_adj", OOM_SCORE, &e) < 0)
        log_warning("%s", e.msg);
    d.down_dir = DOWN_DIR;
    int r = start_loop(&d, &e);
    if (!r)
        r = mkdir_p(d.down_dir, 0755, &e);
    if (!r)
        r = control_start(&d.control, CONTROL_SOCKET, &d, &d.loop, &e);
    if (r < 0) {
        log_error("%s", e.msg);
        return 1;
    }
    containerd_init(&d.containerd, &d.loop, on_containerd_ready, on_containerd_lost, on_containerd_ended, &d);
    if (load_services(&d, &e) < 0)
        log_error("%s", e.msg);
    if (access(STARTED_FILE, F_OK) == 0) {
        svcd_system_init(&d);
        d.resumes = true;
    }
    r = loop_run(&d.loop);
    control_stop(&d.control);
    for (size_t i = 0; i < d.services_len; i++)
        service_fini(&d.services[i]);
    free(d.services);
    if (r < 0)
        log_error("the event loop ended: %s", strerror(-r));
    return r < 0;
}
