/* SPDX-License-Identifier: Apache-2.0 */
#include "svcd/stage.h"

#include <stdio.h>
#include <string.h>

#include "lib/timeline.h"
#include "svcd/acts.h"
#include "svcd/cgroup.h"

#define STAGE_NAME_MAX (SERVICE_NAME_MAX + 16)

/* 0: not known. The process of a service that has failed may be another's by now; the root group is everybody's. */
static uint64_t cpu_of(const struct service *s, bool runs) {
    AUTO_FREE char *group = runs && s->pid ? cgroup_of("/proc", (pid_t)s->pid) : NULL;
    struct cgroup_usage usage;

    if (!group || !strcmp(group, "/"))
        return 0;
    cgroup_read(CGROUP_ROOT, group, &usage);
    return usage.cpu_us == CGROUP_UNKNOWN ? 0 : usage.cpu_us * 1000;
}

static void tell_more(const struct service *s, bool runs, char more[TIMELINE_MORE_MAX]) {
    char names[TIMELINE_AFTER_MAX][STAGE_NAME_MAX];
    const char *after[TIMELINE_AFTER_MAX] = {STAGE_CONTAINERD};
    size_t n = 0;

    for (; n < s->after_len && n < TIMELINE_AFTER_MAX; n++) {
        (void)snprintf(names[n], sizeof(names[n]), "services/%s", s->after[n]->name);
        after[n] = names[n];
    }
    timeline_more(more, cpu_of(s, runs), after, n ? n : 1);
}

void stage_stamp(const char *timeline, const struct service *s, uint64_t start_ns, bool ok, const char *detail) {
    char name[STAGE_NAME_MAX], more[TIMELINE_MORE_MAX];

    (void)snprintf(name, sizeof(name), "services/%s", s->name);
    tell_more(s, ok, more);
    const struct timeline_stage t = {name, STAGE_SYSTEM_INIT, start_ns, clock_ns(), ok, detail, NULL};
    (void)timeline_append_more(timeline, &t, more); /* a full /run must not stop a service */
}
