/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/fuzz.h"

#include <string.h>

#include "lib/log.h"
#include "runtime-config/link.h"
#include "runtime-config/runtime.h"

static void check_strings(const struct strings *list) {
    FUZZ_CHECK(list->len <= RUNTIME_LIST_MAX);
    for (size_t i = 0; i < list->len; i++)
        FUZZ_CHECK(list->v[i]);
}

static void check_mount(const struct runtime_mount *m) {
    unsigned long flags;
    char data[64];

    FUZZ_CHECK(m->destination && m->type && m->source);
    check_strings(&m->options);
    if (mount_options(&m->options, &flags, data, sizeof(data)) == 0)
        FUZZ_CHECK(memchr(data, '\0', sizeof(data)));
}

static void check_interface(const struct interface *i) {
    FUZZ_CHECK(*i->name && strlen(i->name) <= LINK_NAME_MAX && !strchr(i->name, '/'));
    FUZZ_CHECK(strlen(i->peer) <= LINK_NAME_MAX && strlen(i->add) <= LINK_KIND_MAX);
    FUZZ_CHECK(!*i->peer == !!strcmp(i->add, "veth")); /* two ends, or none */
    FUZZ_CHECK(!i->parent || (*i->parent && strlen(i->parent) <= LINK_NAME_MAX));
    FUZZ_CHECK(i->data.len <= LINK_DATA_MAX && (*i->add || (!i->parent && i->data.len == 0)));
}

static void check_policy(const struct policy *p) {
    FUZZ_CHECK(p->delay_ms > 0 && p->delay_ms <= p->max_delay_ms && p->max_delay_ms <= DURATION_MAX_MS);
    FUZZ_CHECK(p->stop_timeout_ms <= DURATION_MAX_MS && p->stop_signal > 0 && p->health.failures > 0);
    check_strings(&p->after);
    for (const struct probe_policy *const *q = (const struct probe_policy *const[]){&p->ready, &p->health, NULL}; *q;
         q++) {
        FUZZ_CHECK(((*q)->kind == PROBE_EXEC) == ((*q)->exec.len > 0));
        FUZZ_CHECK(((*q)->kind == PROBE_TCP || (*q)->kind == PROBE_HTTP) == ((*q)->port > 0));
        FUZZ_CHECK(((*q)->kind == PROBE_FILE || (*q)->kind == PROBE_HTTP) ? *(*q)->path == '/' : !(*q)->path);
        FUZZ_CHECK((*q)->interval_ms > 0 && (*q)->timeout_ms > 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct err e = {0};
    struct runtime rt;
    char path[32];

    log_set_fd(-1);
    int fd = fuzz_file(data, size, path, sizeof(path));
    int r = runtime_load(path, &rt, &e);
    (void)close(fd);
    if (r < 0) {
        FUZZ_CHECK(*e.msg);
        return 0;
    }
    check_strings(&rt.cgroups);
    check_strings(&rt.mkdir);
    for (size_t i = 0; i < rt.mounts_len; i++)
        check_mount(&rt.mounts[i]);
    for (int i = 0; i < NS_COUNT; i++)
        FUZZ_CHECK(rt.bind_ns[i] && (!*rt.bind_ns[i] || *rt.bind_ns[i] == '/'));
    FUZZ_CHECK(rt.ns);
    FUZZ_CHECK(rt.interfaces.len <= INTERFACES_MAX);
    for (size_t i = 0; i < rt.interfaces.len; i++)
        check_interface(&rt.interfaces.v[i]);
    FUZZ_CHECK(rt.deadline_ms <= DURATION_MAX_MS && onfail_name(rt.policy.onfail));
    check_policy(&rt.policy);
    runtime_free(&rt);
    return 0;
}
