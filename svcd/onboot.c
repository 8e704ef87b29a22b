/* SPDX-License-Identifier: Apache-2.0 */
#include "svcd/onboot.h"

#include <errno.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "lib/fdutil.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "lib/timeline.h"
#include "memlogd/wire.h"
#include "svcd/onboot_priv.h"
#include "svcd/onfail.h"

#define TAIL_LINES 10
#define ID_CHARACTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-."

const struct oneshot_dir oneshot_onboot = {"/containers/onboot", "/run/log/onboot", "/var/log/onboot", "onboot",
                                           "010-onboot"};
const struct oneshot_dir oneshot_onshutdown = {"/containers/onshutdown", "/run/log/shutdown", "/var/log/shutdown",
                                               "shutdown", "010-onshutdown"};
const struct oneshot_system oneshot_system = {"/usr/bin/runc", "/run/keelson", WIRE_LOG_SOCKET,
                                              TIMELINE_PATH,   onfail_act,     "/proc/self/exe"};

/* Processor time of this program and of all that it has waited for: runc waits for a container that it runs. */
static uint64_t processor_used_ns(void) {
    static const int who[] = {RUSAGE_SELF, RUSAGE_CHILDREN};
    uint64_t us = 0;

    for (size_t i = 0; i < ARRAY_SIZE(who); i++) {
        struct rusage r = {0};
        (void)getrusage(who[i], &r);
        us += (uint64_t)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) * 1000000u;
        us += (uint64_t)(r.ru_utime.tv_usec + r.ru_stime.tv_usec);
    }
    return us * 1000;
}

/* --- one of them --- */

static int name_all(struct oneshot *o, const char *name, struct err *e) {
    if (name[strspn(name, ID_CHARACTERS)])
        return err_set(e, -EINVAL, "runc takes letters, digits and _+-. only in a name");
    if (*name == '-') /* --help would succeed, and nothing would have run */
        return err_set(e, -EINVAL, "runc takes a name that begins with - for an option");
    o->name = name;
    o->bundle = path_join(o->dir->dir, name);
    if (asprintf(&o->label, "%s.%s", o->dir->prefix, name) < 0)
        o->label = NULL;
    if (asprintf(&o->links, "%s/%s.%s.links", o->sys->run_dir, o->dir->prefix, name) < 0)
        o->links = NULL;
    return o->bundle && o->label && o->links ? 0 : err_errno(e, -ENOMEM, "could not run %s", name);
}

static int open_outputs(struct oneshot *o, struct err *e) {
    const struct output_way way = {o->sys->log_socket, o->dir->log_dir, o->cmdline->runc_console};
    AUTO_FREE char *out = NULL;

    if (asprintf(&out, "%s.out", o->label) < 0) {
        out = NULL;
        return err_errno(e, -ENOMEM, "could not open the log of %s", o->label);
    }
    int r = output_open(&o->err, &way, o->label, true, e);
    return r < 0 ? r : output_open(&o->out, &way, out, false, e);
}

static int prepare(struct oneshot *o, const char *name, struct err *e) {
    int r = name_all(o, name, e);

    if (!r)
        r = open_outputs(o, e);
    AUTO_FREE char *path = r < 0 ? NULL : path_join(o->bundle, "runtime.json");
    if (!r && !path)
        r = err_errno(e, -ENOMEM, "could not run %s", name);
    if (!r)
        r = runtime_load(path, &o->runtime, e);
    if (r < 0)
        return r;
    if (o->runtime.deadline_ms)
        o->deadline_ms = clock_ms() + o->runtime.deadline_ms;
    return oneshot_prepare(o, e);
}

/* What was set up for it stays, for whoever looks why it failed. */
static void list_left(const struct oneshot *o, const char *name, struct oneshot_result *result) {
    AUTO_BUF struct buf text = BUF_INIT;
    size_t i;
    const json_t *one;

    result->left = json_array();
    if (!o->links || !result->left || runtime_left(&o->runtime, o->bundle, o->links, result->left) < 0)
        return;
    json_array_foreach(result->left, i, one) {
        if (buf_printf(&text, "%s%s", i ? ", " : "", json_string_value(one)) < 0)
            return;
    }
    if (text.len)
        log_notice("%s container %s: this stays for inspection: %s", o->dir->prefix, name, text.data);
}

static void release(struct oneshot *o) {
    output_close(&o->out);
    output_close(&o->err);
    runtime_free(&o->runtime);
    if (o->links)
        (void)unlink(o->links);
    free(o->links);
    free(o->bundle);
    free(o->label);
}

static void conclude(struct oneshot *o, const char *name, struct oneshot_result *result) {
    output_show(&o->out);
    output_show(&o->err);
    if (result->outcome == OUTCOME_OK) {
        runtime_unmount_bundle(&o->runtime, o->bundle);
        oneshot_announce(o, "complete");
        return;
    }
    output_show_tail(&o->err, TAIL_LINES);
    log_error("%s container %s failed: %s", o->dir->prefix, name, result->error);
    list_left(o, name, result);
}

static enum onfail run_one(const struct oneshot_dir *d, const struct oneshot_system *sys, const struct cmdline *c,
                           const char *name, struct oneshot_result *result) {
    struct oneshot o = {.dir = d, .sys = sys, .cmdline = c};
    struct err e = {0};
    uint64_t start = clock_ns();

    output_init(&o.out);
    output_init(&o.err);
    runtime_init(&o.runtime);
    if (prepare(&o, name, &e) < 0) {
        result->outcome = o.late ? OUTCOME_DEADLINE : OUTCOME_ERROR;
        (void)snprintf(result->error, sizeof(result->error), "%s", e.msg);
    } else {
        oneshot_run_container(&o, result);
    }
    conclude(&o, name, result);
    enum onfail onfail = result->outcome == OUTCOME_OK ? ONFAIL_CONTINUE : o.runtime.policy.onfail;
    result->runc_ns = o.runc_ns;
    release(&o);
    result->own_ns = clock_ns() - start - result->runc_ns;
    return onfail;
}

/* --- all of them --- */

/* When something began, and what had been used by then. */
struct begin {
    uint64_t ns, cpu_ns;
};

static struct begin begin_now(void) {
    return (struct begin){clock_ns(), processor_used_ns()};
}

static void stamp(const struct oneshot_dir *d, const struct oneshot_system *sys, const char *name, struct begin begin,
                  bool ok, const char *detail) {
    char stage[128], more[TIMELINE_MORE_MAX];

    if (!d->stage)
        return;
    (void)snprintf(stage, sizeof(stage), "%s/%s", d->prefix, name);
    timeline_more(more, processor_used_ns() - begin.cpu_ns, NULL, 0);
    const struct timeline_stage s = {stage, d->stage, begin.ns, clock_ns(), ok, detail, NULL};
    (void)timeline_append_more(sys->timeline, &s, more); /* a full /run must not stop the boot */
}

static void stamp_one(const struct oneshot_dir *d, const struct oneshot_system *sys, const char *name,
                      struct begin begin, const struct oneshot_result *result) {
    char times[64];
    bool ok = result->outcome == OUTCOME_OK;

    (void)snprintf(times, sizeof(times), "runc %.3f s, own %.3f s", (double)result->runc_ns / 1e9,
                   (double)result->own_ns / 1e9);
    stamp(d, sys, name, begin, ok, ok ? times : result->error);
}

/* Again at the end: one of them may have mounted a disk on /var. */
static void link_logs(const struct oneshot_dir *d) {
    AUTO_FREE char *parent = strdup(d->link);
    char *slash = parent ? strrchr(parent, '/') : NULL;
    struct err e = {0};

    if (slash)
        *slash = '\0';
    if (slash && mkdir_p(parent, 0755, &e) < 0)
        log_error("%s", e.msg);
    else if (symlink(d->log_dir, d->link) < 0 && errno != EEXIST)
        log_error("could not link %s: %s", d->link, strerror(errno));
}

/* Under another PID 1 than keelson's nobody has made the first one. */
static void make_dirs(const struct oneshot_dir *d, const struct oneshot_system *sys) {
    struct err e = {0};

    if (mkdir_p(sys->run_dir, 0755, &e) < 0 || mkdir_p(d->log_dir, 0755, &e) < 0)
        log_error("%s", e.msg);
    link_logs(d);
}

/* For the boot record: which one it is that the boot waits for. "": none any more. */
static void note_running(const struct oneshot_dir *d, const struct oneshot_system *sys, const char *name) {
    AUTO_FREE char *path = NULL;
    struct err e = {0};

    if (asprintf(&path, "%s/%s.running", sys->run_dir, d->prefix) < 0) {
        path = NULL;
        return;
    }
    if (!*name)
        (void)unlink(path);
    else if (write_file_atomic(path, name, strlen(name), 0644, false, &e) < 0)
        log_warning("%s", e.msg);
}

static void run_all(const struct oneshot_dir *d, const struct oneshot_system *sys, const struct cmdline *c,
                    const struct names *names, struct oneshot_record *rec) {
    bool over = false;

    for (size_t i = 0; i < names->len && !over; i++) {
        struct oneshot_result result = {0};
        const struct begin begin = begin_now();
        note_running(d, sys, names->v[i]);
        enum onfail onfail = run_one(d, sys, c, names->v[i], &result);
        stamp_one(d, sys, names->v[i], begin, &result);
        record_add(rec, names->v[i], &result);
        json_decref(result.left);
        if (onfail != ONFAIL_CONTINUE && !d->stage)
            log_notice("%s asks for %s: the machine is on its way down, as it was asked", names->v[i],
                       onfail_name(onfail));
        else
            over = sys->onfail(names->v[i], onfail);
    }
    note_running(d, sys, "");
}

static void conclude_all(const struct oneshot_dir *d, const struct oneshot_system *sys, struct begin begin,
                         const struct oneshot_record *rec) {
    char summary[160];
    AUTO_FREE char *path = NULL;
    struct err e = {0};
    bool ok = record_failures(rec) == 0;

    (void)record_summary(rec, summary, sizeof(summary));
    stamp(d, sys, "all", begin, ok, summary);
    if (!ok)
        log_notice("%s containers: %s", d->prefix, summary);
    if (asprintf(&path, "%s/%s.json", sys->run_dir, d->prefix) < 0)
        path = NULL;
    if (path && record_save(rec, path, &e) < 0)
        log_warning("%s", e.msg);
}

unsigned oneshot_run(const struct oneshot_dir *d, const struct oneshot_system *sys, const struct cmdline *c) {
    AUTO_NAMES struct names names = {0};
    struct oneshot_record rec;
    struct err e = {0};
    const struct begin begin = begin_now();

    int r = list_dir(d->dir, &names, &e);
    if (r == -ENOENT)
        return 0;
    if (r < 0) {
        log_error("%s", e.msg);
        return 1;
    }
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1);
    make_dirs(d, sys);
    record_init(&rec);
    run_all(d, sys, c, &names, &rec);
    link_logs(d);
    conclude_all(d, sys, begin, &rec);
    unsigned failures = record_failures(&rec);
    record_fini(&rec);
    return failures;
}
