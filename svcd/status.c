/* SPDX-License-Identifier: Apache-2.0 */
#include "svcd/status.h"

#include <string.h>

#include "lib/json.h"
#include "svcd/acts.h"
#include "svcd/cgroup.h"

static const char *const restart_names[] = {
    [RESTART_ON_FAILURE] = "on-failure", [RESTART_ALWAYS] = "always", [RESTART_NEVER] = "never"};
static const char *const probe_names[] = {
    [PROBE_NONE] = "none", [PROBE_EXEC] = "exec", [PROBE_TCP] = "tcp", [PROBE_FILE] = "file", [PROBE_HTTP] = "http"};

json_t *status_text(const char *s) {
    json_t *value = json_string(s);
    AUTO_FREE char *copy = value ? NULL : strdup(s);

    for (char *p = copy; p && *p; p++)
        if ((unsigned char)*p >= 0x80)
            *p = '?';
    return copy ? json_string(copy) : value;
}

static json_t *probe(const struct probe_policy *p) {
    return json_pack("{s:s, s:I, s:I}", "kind", probe_names[p->kind], "interval", (json_int_t)p->interval_ms, "timeout",
                     (json_int_t)p->timeout_ms);
}

json_t *status_policy(const struct service *s) {
    const struct policy *p = &s->policy;
    AUTO_JSON json_t *after = json_array();

    for (size_t i = 0; after && i < s->after_len; i++)
        if (json_array_append_new(after, json_string(s->after[i]->name)) < 0)
            return NULL;
    return json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:O, s:o, s:o, s:I, s:I, s:s}", "restart",
                     restart_names[p->restart], "delay", (json_int_t)p->delay_ms, "max_delay",
                     (json_int_t)p->max_delay_ms, "reset", (json_int_t)p->reset_ms, "limit", (json_int_t)p->limit,
                     "attempts", (json_int_t)s->record.attempts, "after", after, "ready", probe(&p->ready), "health",
                     probe(&p->health), "stop_signal", (json_int_t)p->stop_signal, "stop_timeout",
                     (json_int_t)p->stop_timeout_ms, "onfail", onfail_name(p->onfail));
}

/* null: the kernel does not say; -1: no limit. */
static json_t *number(uint64_t n) {
    return n == CGROUP_UNKNOWN ? json_null() : json_integer(n == CGROUP_NO_LIMIT ? -1 : (json_int_t)n);
}

json_t *status_cgroup(const struct service *s) {
    struct cgroup_usage u;

    if (!s->cgroup || service_is_over(s))
        return json_null();
    cgroup_read(CGROUP_ROOT, s->cgroup, &u);
    return json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:I}", "path", s->cgroup, "memory", number(u.memory),
                     "memory_peak", number(u.memory_peak), "memory_max", number(u.memory_max), "cpu_us",
                     number(u.cpu_us), "pids", number(u.pids), "pids_max", number(u.pids_max), "oom_kills",
                     (json_int_t)u.oom_kills);
}
