/* SPDX-License-Identifier: Apache-2.0 */
#include "init/steps.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>

#include "init/report.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "lib/spawn.h"

static void stamp(const struct steps *s, const char *name, const char *parent, uint64_t start, bool ok,
                  const char *detail) {
    const struct timeline_stage stage = {name, parent, start, clock_ns(), ok, detail, ok ? NULL : s->output};

    report_stage(&stage);
}

static bool start(struct steps *s, const char *name) {
    struct stat st;
    struct err e = {0};
    AUTO_FREE char *path = path_join(s->dir, name);

    s->start_ns = clock_ns();
    if (!path || stat(path, &st) < 0) {
        (void)err_errno(&e, -errno, "could not run %s/%s", s->dir, name);
        log_error("%s", e.msg);
        stamp(s, name, s->label, s->start_ns, false, e.msg);
        return false;
    }
    if (!S_ISREG(st.st_mode))
        return false;
    struct spawn sp = SPAWN_INIT;
    sp.argv = (const char *const[]){path, NULL};
    sp.setsid = true;
    if (spawn(&sp, &s->pid, NULL, &e) < 0) {
        s->pid = 0;
        log_error("%s", e.msg);
        stamp(s, name, s->label, s->start_ns, false, e.msg);
        return false;
    }
    s->started++;
    return true;
}

/* Starts the next one that can be started. False: there is none; the directory is done. */
static bool start_next(struct steps *s) {
    while (s->next < s->names.len)
        if (start(s, s->names.v[s->next++]))
            return true;
    stamp(s, s->label, "", s->dir_start_ns, true, "");
    names_free(&s->names);
    s->next = 0;
    return false;
}

bool steps_begin(struct steps *s, const char *dir, const char *label) {
    struct err e = {0};

    *s = (struct steps){.dir = dir, .label = label, .dir_start_ns = clock_ns()};
    int r = list_dir(dir, &s->names, &e);
    if (r == -ENOENT)
        return false;
    if (r < 0)
        log_error("%s", e.msg);
    return start_next(s);
}

bool steps_reaped(struct steps *s, pid_t pid, int status, bool *ended) {
    char reason[96];
    const char *name = steps_current(s);

    *ended = false;
    if (!name || pid != s->pid)
        return false;
    s->pid = 0;
    if (status != 0)
        log_error("%s/%s %s", s->dir, name, exit_reason(status, reason, sizeof(reason)));
    stamp(s, name, s->label, s->start_ns, status == 0, status == 0 ? "" : reason);
    s->output = NULL;
    *ended = !start_next(s);
    return true;
}

void steps_abandon(struct steps *s) {
    if (s->pid > 0)
        (void)kill(-s->pid, SIGTERM);
    s->pid = 0;
    names_free(&s->names);
    s->next = 0;
}

const char *steps_current(const struct steps *s) {
    return s->pid > 0 ? s->names.v[s->next - 1] : NULL;
}
