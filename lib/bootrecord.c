/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/bootrecord.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lib/auto.h"
#include "lib/timeline.h"
#include "lib/waits.h"

#define FAILED_BYTES 2700 /* what failed steps may take of the record, output included */
#define STEP_CUT 72
#define WHY_CUT 160
#define WHY_HEAD 40 /* of a longer one: the cause is at its end */
#define OUTPUT_CUT 480
#define OUTPUT_LEAST 24 /* less of an output says nothing */
#define KERNEL_CUT 400
#define RUNNING_CUT 200
#define END_CUT 160
#define STAGES_MAX 160 /* more do not fit into a record */
#define WAITS_BYTES (TIMELINE_AFTER_MAX * 4 + 4)
#define CLOSE_BYTES 40 /* what ends the record */

struct text {
    char *p;
    size_t len, max;
};

struct failures {
    struct timeline_entry v[BOOTRECORD_FAILED_MAX];
    size_t len;
    unsigned more;
};

static const char *const state_names[BOOTRECORD_STATES] = {
    [BOOTRECORD_BOOTING] = "booting", [BOOTRECORD_UP] = "up", [BOOTRECORD_DOWN] = "down"};

const char *bootrecord_state_name(enum bootrecord_state s) {
    return state_names[s];
}

/* False, and nothing added: there is no room for it. */
PRINTF_LIKE(2, 3) static bool put(struct text *t, const char *fmt, ...) {
    va_list ap;

    va_start(ap, fmt);
    int n = vsnprintf(t->p + t->len, t->max - t->len, fmt, ap);
    va_end(ap);
    if (n < 0 || (size_t)n >= t->max - t->len) {
        t->p[t->len] = '\0';
        return false;
    }
    t->len += (size_t)n;
    return true;
}

/* --- pieces of escaped text --- */

static size_t escape_len(const struct timeline_text *t, size_t at) {
    size_t n = t->p[at] != '\\' ? 1 : at + 1 < t->len && t->p[at + 1] == 'u' ? 6 : 2;

    return at + n > t->len ? t->len - at : n;
}

static struct timeline_text first_bytes(struct timeline_text t, size_t max) {
    size_t at = 0;

    while (at < t.len && at + escape_len(&t, at) <= max)
        at += escape_len(&t, at);
    return (struct timeline_text){t.p, at};
}

static struct timeline_text last_bytes(struct timeline_text t, size_t max) {
    size_t at = 0;

    while (t.len - at > max)
        at += escape_len(&t, at);
    return (struct timeline_text){t.p + at, t.len - at};
}

/* The beginning and the end of a text that is too long, with "..." between; out has WHY_CUT + 1 bytes. */
static const char *cut_middle(struct timeline_text t, char *out) {
    struct timeline_text head = t.len > WHY_CUT ? first_bytes(t, WHY_HEAD) : t;
    struct timeline_text end = last_bytes(t, t.len > WHY_CUT ? WHY_CUT - WHY_HEAD - 3 : 0);

    (void)snprintf(out, WHY_CUT + 1, "%.*s%s%.*s", (int)head.len, head.p, end.len ? "..." : "", (int)end.len, end.p);
    return out;
}

/* What all one-shots together took: a stage that fails with each of them. */
static bool is_sum(struct timeline_text t) {
    static const char *const sums[] = {"onboot/all", "shutdown/all"};

    for (size_t i = 0; i < ARRAY_SIZE(sums); i++)
        if (timeline_is_same(t, (struct timeline_text){sums[i], strlen(sums[i])}))
            return true;
    return false;
}

/* --- what has failed --- */

static void forget(struct failures *f, size_t i) {
    f->len--;
    memmove(&f->v[i], &f->v[i + 1], (f->len - i) * sizeof(f->v[0]));
}

/* The last word of a step counts, at the place of the first. One that is ok by now is still why its whole has failed.
 */
static void note(struct failures *f, const struct timeline_entry *e) {
    size_t i = 0;

    while (i < f->len && !timeline_is_same(f->v[i].stage, e->stage))
        i++;
    if (i < f->len)
        f->v[i] = *e;
    else if (!e->ok && f->len < BOOTRECORD_FAILED_MAX)
        f->v[f->len++] = *e;
    else if (!e->ok)
        f->more++;
}

static bool has_failed_part(const struct failures *f, size_t whole) {
    for (size_t i = 0; i < f->len; i++)
        if (i != whole && timeline_is_same(f->v[i].parent, f->v[whole].stage) && !is_sum(f->v[i].stage))
            return true;
    return false;
}

static void find_failures(const struct bootrecord *r, struct failures *f) {
    struct timeline_entry e;

    *f = (struct failures){.len = 0};
    for (size_t pos = 0; timeline_next(r->timeline, r->timeline_len, &pos, &e);)
        note(f, &e);
    for (size_t i = f->len; i-- > 0;)
        f->v[i].ok = f->v[i].ok || is_sum(f->v[i].stage) || has_failed_part(f, i);
    for (size_t i = f->len; i-- > 0;)
        if (f->v[i].ok)
            forget(f, i);
}

/* --- the record --- */

static void put_text(struct text *t, const char *key, const char *value, size_t cut) {
    char escaped[KERNEL_CUT * 6 + 8];
    size_t all = strlen(value), from = all > cut ? all - cut : 0;
    size_t n = timeline_escape(escaped, sizeof(escaped), value + from, cut);
    struct timeline_text part = last_bytes((struct timeline_text){escaped, n}, cut);

    (void)put(t, ",\"%s\":\"%.*s\"", key, (int)part.len, part.p);
}

/* The step's name for those who know its output: names that need escapes have no logs. */
static struct timeline_text output_of(const struct bootrecord *r, const struct timeline_entry *e, char *escaped,
                                      size_t len) {
    char step[STEP_CUT * 2], text[TIMELINE_OUTPUT_MAX + 1] = "";

    if (e->output.len > 0 || !r->output || e->stage.len >= sizeof(step) || memchr(e->stage.p, '\\', e->stage.len))
        return e->output;
    memcpy(step, e->stage.p, e->stage.len);
    step[e->stage.len] = '\0';
    r->output(step, text, sizeof(text), r->data);
    return (struct timeline_text){escaped, timeline_escape(escaped, len, text, sizeof(text))};
}

static bool put_failure(struct text *t, const struct bootrecord *r, const struct timeline_entry *e, size_t room) {
    char escaped[TIMELINE_OUTPUT_MAX * 6 + 8];
    char why[WHY_CUT + 1];
    struct timeline_text step = first_bytes(e->stage, STEP_CUT);
    size_t begin = t->len;
    const char *comma = t->p[t->len - 1] == '[' ? "" : ",";

    if (!put(t, "%s{\"step\":\"%.*s\",\"why\":\"%s\"}", comma, (int)step.len, step.p, cut_middle(e->detail, why)))
        return false;
    size_t used = t->len - begin + strlen(",\"output\":\"\"");
    size_t left = room > used ? room - used : 0;
    if (left < OUTPUT_LEAST)
        return true;
    struct timeline_text output = output_of(r, e, escaped, sizeof(escaped));
    output = last_bytes(output, left < OUTPUT_CUT ? left : OUTPUT_CUT);
    t->len -= output.len > 0; /* the brace */
    if (output.len > 0 && !put(t, ",\"output\":\"%.*s\"}", (int)output.len, output.p))
        t->p[t->len++] = '}';
    return true;
}

/* Each gets an equal share of what is left, so that a short one leaves more to those behind it. */
static void put_failures(struct text *t, const struct bootrecord *r, const struct failures *f) {
    struct text part = {t->p, t->len, t->len + FAILED_BYTES};
    size_t shown = 0;

    (void)put(t, ",\"failed\":[");
    part.len = t->len;
    while (shown < f->len && put_failure(&part, r, &f->v[shown], (part.max - part.len) / (f->len - shown)))
        shown++;
    t->len = part.len;
    (void)put(t, "],\"failed_more\":%u", f->more + (unsigned)(f->len - shown));
}

/* The first stages; `more` counts those that there is no place for. */
struct stages {
    struct timeline_entry v[STAGES_MAX];
    size_t len;
    unsigned more;
};

static void find_stages(const struct bootrecord *r, struct stages *s) {
    struct timeline_entry e;

    s->len = s->more = 0;
    for (size_t pos = 0; timeline_next(r->timeline, r->timeline_len, &pos, &e);) {
        if (s->len < STAGES_MAX)
            s->v[s->len++] = e;
        else
            s->more++;
    }
}

/* ,[3,5] behind a stage: the places of those whose end it waited for; "" for none, and for those behind it. */
static void format_waits(const struct stages *s, size_t i, char out[WAITS_BYTES]) {
    struct text t = {out, 0, WAITS_BYTES};
    size_t on[TIMELINE_AFTER_MAX];
    size_t len = waits_find(s->v, s->len, i, on);

    out[0] = '\0';
    for (size_t k = 0; k < len; k++)
        if (on[k] < i)
            (void)put(&t, "%s%zu", t.len ? "," : ",[", on[k]);
    if (t.len)
        (void)put(&t, "]");
}

static bool put_stage(struct text *t, const struct stages *s, size_t i) {
    const struct timeline_entry *e = &s->v[i];
    struct timeline_text name = first_bytes(e->stage, STEP_CUT);
    uint64_t took_ns = e->end_ns > e->start_ns ? e->end_ns - e->start_ns : 0;
    char waits[WAITS_BYTES], cpu[24] = "";

    format_waits(s, i, waits);
    if (e->cpu_ns >= 1000000 || *waits)
        (void)snprintf(cpu, sizeof(cpu), ",%llu", (unsigned long long)(e->cpu_ns / 1000000));
    return put(t, "%s[\"%.*s\",%llu,%llu%s%s]", i ? "," : "", (int)name.len, name.p,
               (unsigned long long)(e->start_ns / 1000000), (unsigned long long)(took_ns / 1000000), cpu, waits);
}

static void put_stages(struct text *t, const struct bootrecord *r) {
    struct text part = {t->p, t->len, t->max - CLOSE_BYTES};
    struct stages s;
    size_t shown = 0;

    find_stages(r, &s);
    (void)put(t, ",\"stages\":[");
    part.len = t->len;
    while (shown < s.len && put_stage(&part, &s, shown))
        shown++;
    t->len = part.len;
    (void)put(t, "],\"stages_more\":%u", s.more + (unsigned)(s.len - shown));
}

size_t bootrecord_make(const struct bootrecord *r, char out[BOOTRECORD_MAX + 1], bool *ok) {
    struct text t = {out, 0, BOOTRECORD_MAX};
    struct failures f;

    find_failures(r, &f);
    *ok = f.len == 0 && f.more == 0 && r->state != BOOTRECORD_BOOTING;
    (void)put(&t, "{\"version\":1,\"state\":\"%s\",\"ok\":%s,\"end\":\"%s\",\"firmware\":\"%s\",\"at_ms\":%llu",
              state_names[r->state], *ok ? "true" : "false", r->end, r->efi ? "efi" : "bios",
              (unsigned long long)(r->at_ns / 1000000));
    put_text(&t, "running", r->running, RUNNING_CUT);
    put_failures(&t, r, &f);
    (void)put(&t,
              ",\"memory_kib\":%llu,\"memory_least_kib\":%llu,\"oom_kills\":%llu,\"lost_lines\":%llu,"
              "\"lost_bytes\":%llu",
              (unsigned long long)r->memory_kib, (unsigned long long)r->memory_least_kib,
              (unsigned long long)r->oom_kills, (unsigned long long)r->lost_lines, (unsigned long long)r->lost_bytes);
    put_text(&t, "last_end", r->last_end, END_CUT);
    put_text(&t, "kernel", r->kernel, KERNEL_CUT);
    put_stages(&t, r);
    t.max = BOOTRECORD_MAX + 1;
    (void)put(&t, "}\n");
    return t.len;
}

void bootrecord_summary(const struct bootrecord *r, char out[BOOTRECORD_SUMMARY_MAX]) {
    struct text t = {out, 0, BOOTRECORD_SUMMARY_MAX};
    struct failures f;

    find_failures(r, &f);
    (void)put(&t, "%s %s %.1f s", state_names[r->state], r->state == BOOTRECORD_BOOTING ? "for" : "after",
              (double)r->at_ns / 1e9);
    if (*r->running)
        (void)put(&t, ", in %.*s", RUNNING_CUT, r->running);
    if (f.len > 0)
        (void)put(&t, ", FAILED");
    else if (r->state != BOOTRECORD_BOOTING)
        (void)put(&t, ", ok");
    for (size_t i = 0; i < f.len; i++) {
        char why[WHY_CUT + 1];
        struct timeline_text step = first_bytes(f.v[i].stage, STEP_CUT);
        if (!put(&t, "%s %.*s: %s", i ? ";" : ":", (int)step.len, step.p, cut_middle(f.v[i].detail, why)))
            break;
    }
}
