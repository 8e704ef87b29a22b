/* SPDX-License-Identifier: Apache-2.0 */
#include "svcd/show.h"

#include <stdarg.h>
#include <stdbool.h>
#include <string.h>

#include "lib/printable.h"

#define CELL 32

static const char *word(const json_t *s, const char *key) {
    const char *text = json_string_value(json_object_get(s, key));

    return text ? text : "";
}

static json_int_t number(const json_t *s, const char *key) {
    return json_integer_value(json_object_get(s, key));
}

/* "3d 4h", "2m 5s", "800ms": two units are enough. */
static const char *duration(json_int_t ms, char *out, size_t len) {
    static const struct {
        json_int_t ms;
        const char *name;
    } units[] = {{86400000, "d"}, {3600000, "h"}, {60000, "m"}, {1000, "s"}, {1, "ms"}};
    size_t i = 0;

    while (i + 1 < sizeof(units) / sizeof(units[0]) && ms < units[i].ms)
        i++;
    json_int_t rest = i < 3 ? ms % units[i].ms / units[i + 1].ms : 0;
    if (rest > 0)
        (void)snprintf(out, len, "%lld%s %lld%s", (long long)(ms / units[i].ms), units[i].name, (long long)rest,
                       units[i + 1].name);
    else
        (void)snprintf(out, len, "%lld%s", (long long)(ms / units[i].ms), units[i].name);
    return out;
}

static const char *since(const json_t *s, char *out, size_t len) {
    json_int_t up = number(s, "up_ms");

    return up < 0 ? "-" : duration(up < 1000 ? 0 : up - up % 1000, out, len);
}

/* Why it last failed, else how it last ended. */
static const char *why(const json_t *s) {
    return *word(s, "last_error") ? word(s, "last_error") : word(s, "last_exit");
}

static int show_line(const json_t *s, struct buf *out) {
    char pid[CELL] = "-", up[CELL];
    size_t line = out->len;

    if (number(s, "pid") > 0)
        (void)snprintf(pid, sizeof(pid), "%lld", (long long)number(s, "pid"));
    int r = buf_printf(out, "%-24s %-12s %8s %8lld  %-9s %-10s  %s", word(s, "name"), word(s, "state"), pid,
                       (long long)number(s, "restarts"), since(s, up, sizeof(up)), word(s, "health"), why(s));
    make_printable(out, line);
    return r < 0 ? r : buf_puts(out, "\n");
}

int show_list(const json_t *services, struct buf *out) {
    const json_t *s;
    size_t i;
    int r = buf_printf(out, "%-24s %-12s %8s %8s  %-9s %-10s  %s\n", "NAME", "STATE", "PID", "RESTARTS", "UP", "HEALTH",
                       "LAST ERROR OR EXIT");

    json_array_foreach(services, i, s) {
        if (!r)
            r = show_line(s, out);
    }
    return r;
}

int show_end(const json_t *s, struct buf *out) {
    bool failed = strcmp(word(s, "state"), "failed") == 0 && *word(s, "last_error");
    const char *text = failed ? word(s, "last_error") : word(s, "last_exit");
    size_t line = out->len;

    int r = buf_printf(out, "%s%s%s", word(s, "state"), failed ? ": " : *text ? ": it " : "", text);
    make_printable(out, line);
    return r < 0 ? r : buf_puts(out, "\n");
}

static int field(struct buf *out, const char *name, const char *fmt, ...) PRINTF_LIKE(3, 4);

static int field(struct buf *out, const char *name, const char *fmt, ...) {
    char text[1024];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    size_t line = out->len;
    int r = buf_printf(out, "%-12s %s", name, text);
    make_printable(out, line);
    return r < 0 ? r : buf_puts(out, "\n");
}

static const char *limit(const json_t *value, char *out, size_t len) {
    if (!json_is_integer(value))
        return "unknown";
    if (json_integer_value(value) < 0)
        return "no limit";
    (void)snprintf(out, len, "%lld", (long long)json_integer_value(value));
    return out;
}

static const char *bytes(const json_t *value, char *out, size_t len) {
    if (!json_is_integer(value) || json_integer_value(value) < 0)
        return limit(value, out, len);
    (void)snprintf(out, len, "%.1f MiB", (double)json_integer_value(value) / (1 << 20));
    return out;
}

static int show_cgroup(const json_t *g, struct buf *out) {
    char a[CELL], b[CELL], c[CELL];

    if (!json_is_object(g))
        return 0;
    int r = field(out, "memory", "%s, at most %s so far, limit %s", bytes(json_object_get(g, "memory"), a, sizeof(a)),
                  bytes(json_object_get(g, "memory_peak"), b, sizeof(b)),
                  bytes(json_object_get(g, "memory_max"), c, sizeof(c)));
    if (!r && json_is_integer(json_object_get(g, "cpu_us")))
        r = field(out, "processor", "%.2f s", (double)number(g, "cpu_us") / 1e6);
    if (!r)
        r = field(out, "processes", "%s, limit %s", limit(json_object_get(g, "pids"), a, sizeof(a)),
                  limit(json_object_get(g, "pids_max"), b, sizeof(b)));
    if (!r && number(g, "oom_kills") > 0)
        r = field(out, "", "%lld killed for want of memory", (long long)number(g, "oom_kills"));
    return r ? r : field(out, "group", "%s", word(g, "path"));
}

static int show_probe(const json_t *p, const char *name, struct buf *out) {
    char a[CELL], b[CELL];

    if (!strcmp(word(p, "kind"), "none"))
        return 0;
    return field(out, name, "by %s, every %s, timeout %s", word(p, "kind"),
                 duration(number(p, "interval"), a, sizeof(a)), duration(number(p, "timeout"), b, sizeof(b)));
}

static int show_after(const json_t *after, struct buf *out) {
    char names[512] = "";
    const json_t *name;
    size_t i, used = 0;

    json_array_foreach(after, i, name) {
        if (used < sizeof(names))
            used +=
                (size_t)snprintf(names + used, sizeof(names) - used, "%s%s", i ? ", " : "", json_string_value(name));
    }
    return i ? field(out, "after", "%s", names) : 0;
}

static int show_policy(const json_t *p, struct buf *out) {
    char a[CELL], b[CELL], c[CELL], limited[64] = "";

    if (number(p, "limit") > 0)
        (void)snprintf(limited, sizeof(limited), ", %lld of %lld in a row used", (long long)number(p, "attempts"),
                       (long long)number(p, "limit"));
    int r = field(out, "restart", "%s, after %s up to %s, anew after %s%s", word(p, "restart"),
                  duration(number(p, "delay"), a, sizeof(a)), duration(number(p, "max_delay"), b, sizeof(b)),
                  duration(number(p, "reset"), c, sizeof(c)), limited);
    if (!r)
        r = show_after(json_object_get(p, "after"), out);
    if (!r)
        r = show_probe(json_object_get(p, "ready"), "ready", out);
    if (!r)
        r = show_probe(json_object_get(p, "health"), "check", out);
    if (!r)
        r = field(out, "stop", "signal %lld, then SIGKILL after %s", (long long)number(p, "stop_signal"),
                  duration(number(p, "stop_timeout"), a, sizeof(a)));
    return r || !strcmp(word(p, "onfail"), "continue") ? r : field(out, "onfail", "%s", word(p, "onfail"));
}

int show_status(const json_t *s, struct buf *out) {
    char up[CELL];

    int r = field(out, "name", "%s", word(s, "name"));
    if (!r)
        r = field(out, "state", "%s%s%s", word(s, "state"), number(s, "up_ms") >= 0 ? " for " : "",
                  number(s, "up_ms") >= 0 ? since(s, up, sizeof(up)) : "");
    if (!r && number(s, "pid") > 0)
        r = field(out, "pid", "%lld", (long long)number(s, "pid"));
    if (!r)
        r = field(out, "health", "%s%s%s", word(s, "health"), *word(s, "health_error") ? ": " : "",
                  word(s, "health_error"));
    if (!r)
        r = field(out, "restarts", "%lld", (long long)number(s, "restarts"));
    if (!r && *word(s, "last_exit"))
        r = field(out, "last exit", "it %s", word(s, "last_exit"));
    if (!r && *word(s, "last_error"))
        r = field(out, "last error", "%s", word(s, "last_error"));
    if (!r)
        r = show_policy(json_object_get(s, "policy"), out);
    return r ? r : show_cgroup(json_object_get(s, "cgroup"), out);
}
