/* SPDX-License-Identifier: Apache-2.0 */
#include "svcd/direct.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "lib/fdutil.h"
#include "lib/log.h"
#include "svcd/grpc.h"
#include "svcd/service.h"
#include "svcd/svcd.h"

const struct direct_place direct_default = {"/run/containerd/containerd.sock", SERVICES_DIR, SERVICES_NAMESPACE};

struct direct {
    struct loop loop;
    struct grpc *grpc;
    struct service service;
    bool to_run; /* else it is to be down */
    bool lost;
};

static void on_lost(void *data) {
    struct direct *d = data;

    d->lost = true;
    loop_stop(&d->loop);
}

static void on_changed(struct service *s, void *data) {
    struct direct *d = data;
    bool up = d->to_run && s->life == LIFE_RUNNING && s->record.wanted;

    if (up || life_is_down(s->life) || s->life == LIFE_BACKOFF)
        loop_stop(&d->loop);
}

/* What becomes of it is seen once containerd was asked: as if it had just come back. */
static void begin(struct direct *d, const char *command) {
    struct service *s = &d->service;

    d->to_run = strcmp(command, "stop") != 0;
    if (strcmp(command, "start") == 0) {
        s->returns = true; /* a task that has ended is left from before */
        service_start(s);
        return;
    }
    s->restart = d->to_run;
    s->life = LIFE_DETACHED;
    service_event(s, LIFE_EV_READY);
}

static int result(const struct direct *d, const char *command) {
    const struct service *s = &d->service;
    const char *why = d->lost ? "containerd has ended the connection" : *s->error ? s->error : "it has ended";
    bool done = d->to_run ? s->life == LIFE_RUNNING : s->life == LIFE_DOWN;

    if (done && !d->lost)
        return 0;
    log_error("could not %s %s: %s", command, s->name, why);
    return 1;
}

int direct_run(const char *command, const char *name, const struct direct_place *at) {
    struct direct d = {0};
    struct err e = {0};
    AUTO_FREE char *bundle = path_join(at->path, name);

    if (!bundle || strchr(name, '/') || access(bundle, F_OK) < 0) {
        log_error("could not %s %s: there is no such service in %s", command, name, at->path);
        return 1;
    }
    AUTO_CLOSE int lock = open(bundle, O_RDONLY | O_DIRECTORY | O_CLOEXEC); /* one after another */
    if (lock < 0 || flock(lock, LOCK_EX) < 0) {
        log_error("could not %s %s: could not lock %s: %s", command, name, bundle, strerror(errno));
        return 1;
    }
    int r = loop_init(&d.loop);
    if (!r)
        r = grpc_connect(&d.grpc, &d.loop, at->sock, at->ns, on_lost, &d);
    if (r < 0) {
        log_error("could not %s %s: containerd cannot be reached on %s: %s", command, name, at->sock, strerror(-r));
        return 1;
    }
    r = service_init(&d.service, at->path, name, &d.loop, &d.grpc, on_changed, &d, &e);
    if (r < 0) {
        log_error("%s", e.msg);
    } else {
        if (!*d.service.ns && strcmp(at->ns, SERVICES_NAMESPACE) != 0)
            (void)snprintf(d.service.ns, sizeof(d.service.ns), "%s", at->ns);
        begin(&d, command);
        r = loop_run(&d.loop);
    }
    int status = r < 0 ? 1 : result(&d, command);
    struct grpc *g = d.grpc;
    d.grpc = NULL;
    d.service.ops->stop_probe(&d.service);
    grpc_close(g);
    service_fini(&d.service);
    loop_fini(&d.loop);
    return status;
}
