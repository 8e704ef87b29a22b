/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime-config/policy.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "lib/fdutil.h"
#include "lib/json.h"
#include "runtime-config/runtime.h"
#include "runtime-config/unknown.h"

#define LIMIT_MAX 1000000

static const char *const restart_names[] = {
    [RESTART_ON_FAILURE] = "on-failure", [RESTART_ALWAYS] = "always", [RESTART_NEVER] = "never"};

static const char *const probe_names[] = {
    [PROBE_NONE] = "", [PROBE_EXEC] = "exec", [PROBE_TCP] = "tcp", [PROBE_FILE] = "file", [PROBE_HTTP] = "http"};

#define BIT(kind) (1U << (kind))
#define READY_KINDS (BIT(PROBE_EXEC) | BIT(PROBE_TCP) | BIT(PROBE_FILE))
#define HEALTH_KINDS (BIT(PROBE_EXEC) | BIT(PROBE_TCP) | BIT(PROBE_HTTP))

void policy_init(struct policy *p) {
    *p = (struct policy){.delay_ms = 250,
                         .max_delay_ms = 30000,
                         .reset_ms = 60000,
                         .ready = {.interval_ms = 500, .timeout_ms = 60000},
                         .health = {.interval_ms = 10000, .timeout_ms = 2000, .failures = 3},
                         .stop_signal = SIGTERM,
                         .stop_timeout_ms = 10000};
}

void policy_free(struct policy *p) {
    free(p->after.v);
    free(p->ready.exec.v);
    free(p->health.exec.v);
    json_decref(p->doc);
    policy_init(p);
}

static int get_duration(const json_t *obj, const char *where, const char *key, uint64_t *ms, struct err *e) {
    const char *text = NULL;
    int r = json_get_string(obj, where, key, false, &text, e);

    if (r < 0 || !text)
        return r;
    if (duration_parse(text, ms) < 0)
        return err_set(e, -EINVAL, "%s.%s is not a time such as \"250ms\" or \"5m\": \"%.50s\"", where, key, text);
    return 0;
}

static int get_count(const json_t *obj, const char *where, const char *key, int64_t min, unsigned *out, struct err *e) {
    int64_t n = *out;
    int r = json_get_int(obj, where, key, false, &n, e);

    if (r < 0)
        return r;
    if (n < min || n > LIMIT_MAX)
        return err_set(e, -EINVAL, "%s.%s is not a number from %lld to %d: %lld", where, key, (long long)min, LIMIT_MAX,
                       (long long)n);
    *out = (unsigned)n;
    return 0;
}

/* The index in names of obj[key]; *out stays if it is absent. */
static int get_choice(const json_t *obj, const char *where, const char *key, const char *const *names, size_t len,
                      unsigned *out, struct err *e) {
    const char *text = NULL;
    int r = json_get_string(obj, where, key, false, &text, e);

    if (r < 0 || !text)
        return r;
    for (size_t i = 0; i < len; i++)
        if (!strcmp(names[i], text)) {
            *out = (unsigned)i;
            return 0;
        }
    return err_set(e, -EINVAL, "%s.%s is not on-failure, always or never: \"%.50s\"", where, key, text);
}

static int load_restart(struct policy *p, const char *path, struct err *e) {
    static const char *const known[] = {"policy", "delay", "maxDelay", "reset", "limit", NULL};
    static const char where[] = "$.restart";
    json_t *obj = NULL;
    unsigned restart = p->restart;
    int r = json_get_object(p->doc, "$", "restart", false, &obj, e);

    if (r < 0 || !obj)
        return r;
    unknown_keys_warn(path, where, obj, known);
    r = get_choice(obj, where, "policy", restart_names, ARRAY_SIZE(restart_names), &restart, e);
    if (!r)
        r = get_duration(obj, where, "delay", &p->delay_ms, e);
    if (!r)
        r = get_duration(obj, where, "maxDelay", &p->max_delay_ms, e);
    if (!r)
        r = get_duration(obj, where, "reset", &p->reset_ms, e);
    if (!r)
        r = get_count(obj, where, "limit", 0, &p->limit, e);
    p->restart = (enum restart)restart;
    if (p->max_delay_ms < p->delay_ms)
        p->max_delay_ms = p->delay_ms; /* only `delay` was given, and it is long */
    return r;
}

static int check_port(int64_t port, const char *where, const char *key, uint16_t *out, struct err *e) {
    if (port < 1 || port > UINT16_MAX)
        return err_set(e, -EINVAL, "%s.%s is not a port from 1 to 65535", where, key);
    *out = (uint16_t)port;
    return 0;
}

/* "8080/health" */
static int parse_http(const char *text, const char *where, struct probe_policy *p, struct err *e) {
    char digits[8];
    uint64_t port = 0;
    size_t len = strcspn(text, "/");

    if (len < sizeof(digits)) {
        memcpy(digits, text, len);
        digits[len] = '\0';
        if (parse_u64(digits, UINT16_MAX, &port) < 0)
            port = 0;
    }
    p->path = text[len] ? text + len : "/";
    for (const char *c = p->path; *c; c++)
        if (*c <= ' ' || *c > '~')
            return err_set(e, -EINVAL, "%s.http has a character that no path of HTTP has", where);
    return check_port((int64_t)port, where, "http", &p->port, e);
}

static int load_subject(const json_t *obj, const char *where, struct probe_policy *p, struct err *e) {
    const char *text = "";
    int64_t port = 0;
    int r;

    switch (p->kind) {
    case PROBE_EXEC:
        r = strings_load(obj, where, "exec", &p->exec, e);
        return !r && p->exec.len == 0 ? err_set(e, -EINVAL, "%s.exec is an empty command", where) : r;
    case PROBE_TCP:
        r = json_get_int(obj, where, "tcp", true, &port, e);
        return r < 0 ? r : check_port(port, where, "tcp", &p->port, e);
    case PROBE_FILE:
        r = json_get_string(obj, where, "file", true, &p->path, e);
        return !r && *p->path != '/' ? err_set(e, -EINVAL, "%s.file is not an absolute path", where) : r;
    case PROBE_HTTP:
        r = json_get_string(obj, where, "http", true, &text, e);
        return r < 0 ? r : parse_http(text, where, p, e);
    case PROBE_NONE:
        break;
    }
    return err_set(e, -EINVAL, "%s says nothing to look at: give one of exec, tcp, file (ready) or http (health)",
                   where);
}

static int load_probe(const struct policy *policy, const char *key, unsigned kinds, const char *const *known,
                      const char *path, struct probe_policy *p, struct err *e) {
    char where[16];
    json_t *obj = NULL;
    int r = json_get_object(policy->doc, "$", key, false, &obj, e);

    if (r < 0 || !obj)
        return r;
    (void)snprintf(where, sizeof(where), "$.%s", key);
    unknown_keys_warn(path, where, obj, known);
    for (unsigned k = PROBE_EXEC; k <= PROBE_HTTP; k++) {
        if (!(kinds & BIT(k)) || !json_object_get(obj, probe_names[k]))
            continue;
        if (p->kind != PROBE_NONE)
            return err_set(e, -EINVAL, "%s says both %s and %s: give one", where, probe_names[p->kind], probe_names[k]);
        p->kind = (enum probe_kind)k;
    }
    r = load_subject(obj, where, p, e);
    if (!r)
        r = get_duration(obj, where, "interval", &p->interval_ms, e);
    if (!r)
        r = get_duration(obj, where, "timeout", &p->timeout_ms, e);
    return r < 0 || !(kinds & BIT(PROBE_HTTP)) ? r : get_count(obj, where, "failures", 1, &p->failures, e);
}

static int load_stop(struct policy *p, const char *path, struct err *e) {
    static const char *const known[] = {"signal", "timeout", NULL};
    json_t *obj = NULL;
    const char *name = NULL;
    int r = json_get_object(p->doc, "$", "stop", false, &obj, e);

    if (r < 0 || !obj)
        return r;
    unknown_keys_warn(path, "$.stop", obj, known);
    r = json_get_string(obj, "$.stop", "signal", false, &name, e);
    if (!r && name && signal_parse(name, &p->stop_signal) < 0)
        r = err_set(e, -EINVAL, "$.stop.signal is not a signal such as SIGTERM: \"%.50s\"", name);
    return r < 0 ? r : get_duration(obj, "$.stop", "timeout", &p->stop_timeout_ms, e);
}

static int load_onfail(struct policy *p, struct err *e) {
    const char *text = NULL;
    int r = json_get_string(p->doc, "$", "onfail", false, &text, e);

    if (r < 0 || !text || !*text || onfail_parse(text, &p->onfail) == 0)
        return r;
    return err_set(e, -EINVAL, "$.onfail is not continue, reboot, poweroff or halt: \"%.50s\"", text);
}

/* A document of only these words: the rest need not stay in memory for them. */
static json_t *pick_words(const json_t *doc) {
    static const char *const words[] = {"restart", "after", "ready", "health", "stop", "onfail"};
    json_t *out = json_object();

    for (size_t i = 0; out && i < ARRAY_SIZE(words); i++) {
        json_t *value = json_object_get(doc, words[i]);
        if (value && json_object_set(out, words[i], value) < 0) {
            json_decref(out);
            return NULL;
        }
    }
    return out;
}

int policy_load(const json_t *doc, const char *path, struct policy *p, struct err *e) {
    static const char *const ready_keys[] = {"exec", "tcp", "file", "interval", "timeout", NULL};
    static const char *const health_keys[] = {"exec", "tcp", "http", "interval", "timeout", "failures", NULL};

    policy_init(p);
    p->doc = pick_words(doc);
    if (!p->doc)
        return err_errno(e, -ENOMEM, "could not read the policy");
    int r = load_restart(p, path, e);
    if (!r)
        r = strings_load(p->doc, "$", "after", &p->after, e);
    if (!r)
        r = load_probe(p, "ready", READY_KINDS, ready_keys, path, &p->ready, e);
    if (!r)
        r = load_probe(p, "health", HEALTH_KINDS, health_keys, path, &p->health, e);
    if (!r)
        r = load_stop(p, path, e);
    if (!r)
        r = load_onfail(p, e);
    if (r < 0)
        policy_free(p);
    return r;
}

int policy_load_path(const char *path, struct policy *p, struct err *e) {
    AUTO_JSON json_t *doc = NULL;

    policy_init(p);
    int r = json_load_path(path, RUNTIME_JSON_MAX, &doc, e);
    if (r == -ENOENT)
        return 0;
    if (!r && !json_is_object(doc))
        r = err_set(e, -EINVAL, "it is not an object");
    if (!r)
        r = policy_load(doc, NULL, p, e);
    return r == 0 || !doc ? r : err_wrap(e, r, "could not use %s", path);
}
