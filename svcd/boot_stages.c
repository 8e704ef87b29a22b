/* SPDX-License-Identifier: Apache-2.0 */
#include "svcd/boot_stages.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/json.h"
#include "lib/waits.h"

#define DEPTH_MAX 8

static int read_stage(const json_t *obj, size_t i, struct boot_stage *s, struct err *e) {
    json_t *after = NULL;
    char where[48];

    (void)snprintf(where, sizeof(where), "$.stages[%zu]", i);
    *s = (struct boot_stage){.parent = "", .detail = "", .ok = true};
    int r = json_get_string(obj, where, "stage", true, &s->name, e);
    if (!r)
        r = json_get_string(obj, where, "parent", false, &s->parent, e);
    if (!r)
        r = json_get_string(obj, where, "detail", false, &s->detail, e);
    if (!r)
        r = json_get_int(obj, where, "start_ns", true, &s->start_ns, e);
    if (!r)
        r = json_get_int(obj, where, "end_ns", true, &s->end_ns, e);
    if (!r)
        r = json_get_int(obj, where, "cpu_ns", false, &s->cpu_ns, e);
    if (!r)
        r = json_get_array(obj, where, "after", false, &after, e);
    s->after = after;
    return r < 0 ? r : json_get_bool(obj, where, "ok", false, &s->ok, e);
}

static int by_start(const void *a, const void *b) {
    const struct boot_stage *x = a, *y = b;

    return (x->start_ns > y->start_ns) - (x->start_ns < y->start_ns);
}

/* By the time of their start; those that were put in their place have no name any more. */
struct unsorted {
    struct boot_stage *v;
    size_t len;
};

static bool has_parent(const struct unsorted *all, size_t i) {
    for (size_t k = 0; k < all->len; k++)
        if (k != i && !strcmp(all->v[k].name, all->v[i].parent))
            return true;
    return false;
}

static void place(const struct unsorted *all, size_t i, unsigned depth, struct boot_stages *out) {
    const struct boot_stage s = all->v[i];

    if (!s.name || depth > DEPTH_MAX)
        return;
    all->v[i].name = NULL;
    out->v[out->len] = s;
    out->v[out->len++].depth = depth;
    for (size_t k = 0; k < all->len; k++)
        if (all->v[k].name && !strcmp(all->v[k].parent, s.name))
            place(all, k, depth + 1, out);
}

static int place_all(const struct unsorted *all, struct boot_stages *out, struct err *e) {
    AUTO_FREE bool *child = calloc(all->len + 1, sizeof(*child));

    out->v = calloc(all->len + 1, sizeof(*out->v));
    if (!child || !out->v)
        return err_errno(e, -ENOMEM, "could not order the boot timeline");
    for (size_t i = 0; i < all->len; i++)
        child[i] = has_parent(all, i);
    for (size_t i = 0; i < all->len; i++)
        if (!child[i])
            place(all, i, 0, out);
    for (size_t i = 0; i < all->len; i++)
        place(all, i, 0, out); /* what no root leads to: circles, and what is nested too deeply */
    return 0;
}

static struct timeline_text text_of(const char *s) {
    return (struct timeline_text){s ? s : "", s ? strlen(s) : 0};
}

static uint64_t from_start(int64_t ns) {
    return ns > 0 ? (uint64_t)ns : 0;
}

static struct timeline_entry entry_of(const struct boot_stage *s) {
    struct timeline_entry t = {.stage = text_of(s->name),
                               .parent = text_of(s->parent),
                               .start_ns = from_start(s->start_ns),
                               .end_ns = from_start(s->end_ns),
                               .tells_after = s->after != NULL};

    for (size_t i = 0; i < json_array_size(s->after) && i < TIMELINE_AFTER_MAX; i++)
        t.after[t.after_len++] = text_of(json_string_value(json_array_get(s->after, i)));
    return t;
}

static int find_waits(struct boot_stages *stages, struct err *e) {
    AUTO_FREE struct timeline_entry *all = calloc(stages->len + 1, sizeof(*all));

    if (!all)
        return err_errno(e, -ENOMEM, "could not tell what waited for what");
    for (size_t i = 0; i < stages->len; i++)
        all[i] = entry_of(&stages->v[i]);
    for (size_t i = 0; i < stages->len; i++)
        stages->v[i].waits_len = waits_find(all, stages->len, i, stages->v[i].waits);
    return 0;
}

int boot_stages_read(const json_t *timeline, struct boot_stages *out, struct err *e) {
    json_t *stages = NULL;

    *out = (struct boot_stages){0};
    int r = json_get_array(timeline, "$", "stages", true, &stages, e);
    if (r < 0)
        return r;
    AUTO_FREE struct boot_stage *v = calloc(json_array_size(stages) + 1, sizeof(*v));
    if (!v)
        return err_errno(e, -ENOMEM, "could not read the boot timeline");
    const struct unsorted all = {v, json_array_size(stages)};
    for (size_t i = 0; i < all.len && !r; i++)
        r = read_stage(json_array_get(stages, i), i, &v[i], e);
    if (r < 0)
        return r;
    qsort(v, all.len, sizeof(*v), by_start);
    r = place_all(&all, out, e);
    return r < 0 ? r : find_waits(out, e);
}

void boot_stages_free(struct boot_stages *s) {
    free(s->v);
    *s = (struct boot_stages){0};
}
