/* SPDX-License-Identifier: Apache-2.0 */
#include "svcd/boot_table.h"

#include <errno.h>
#include <string.h>

#include "lib/json.h"
#include "svcd/printable.h"

#define DEPTH_MAX 8
#define STAGE_WIDTH 40

struct stage {
    const char *name, *parent, *detail;
    int64_t start_ns, end_ns;
    bool ok, printed;
};

struct table {
    struct stage *v;
    size_t len;
    struct buf *out;
};

static int read_stage(const json_t *obj, size_t i, struct stage *s, struct err *e) {
    char where[48];

    (void)snprintf(where, sizeof(where), "$.stages[%zu]", i);
    *s = (struct stage){.parent = "", .detail = "", .ok = true};
    int r = json_get_string(obj, where, "stage", true, &s->name, e);
    if (!r)
        r = json_get_string(obj, where, "parent", false, &s->parent, e);
    if (!r)
        r = json_get_string(obj, where, "detail", false, &s->detail, e);
    if (!r)
        r = json_get_int(obj, where, "start_ns", true, &s->start_ns, e);
    if (!r)
        r = json_get_int(obj, where, "end_ns", true, &s->end_ns, e);
    return r < 0 ? r : json_get_bool(obj, where, "ok", false, &s->ok, e);
}

static int by_start(const void *a, const void *b) {
    const struct stage *x = a, *y = b;

    return (x->start_ns > y->start_ns) - (x->start_ns < y->start_ns);
}

static bool has_parent(const struct table *t, const struct stage *s) {
    for (size_t i = 0; i < t->len; i++)
        if (&t->v[i] != s && !strcmp(t->v[i].name, s->parent))
            return true;
    return false;
}

static int print_stage(const struct table *t, const struct stage *s, unsigned depth) {
    int indent = (int)depth * 2;
    int pad = STAGE_WIDTH - indent - (int)strlen(s->name);

    size_t line = t->out->len;
    int r = buf_printf(t->out, "%*s%s%*s %9.3f %9.3f%s%s", indent, "", s->name, pad > 0 ? pad : 0, "",
                       (double)s->start_ns / 1e9, ((double)s->end_ns - (double)s->start_ns) / 1e9,
                       s->ok ? "" : "  FAILED ", s->ok ? "" : s->detail);
    make_printable(t->out, line);
    return r < 0 ? r : buf_puts(t->out, "\n");
}

static int print_tree(const struct table *t, struct stage *s, unsigned depth) {
    if (s->printed || depth > DEPTH_MAX)
        return 0;
    s->printed = true;
    int r = print_stage(t, s, depth);
    for (size_t i = 0; i < t->len && !r; i++)
        if (!strcmp(t->v[i].parent, s->name))
            r = print_tree(t, &t->v[i], depth + 1);
    return r;
}

int boot_table(const json_t *timeline, struct buf *out, struct err *e) {
    struct table t = {.out = out};
    json_t *stages = NULL;

    int r = json_get_array(timeline, "$", "stages", true, &stages, e);
    if (r < 0)
        return r;
    t.len = json_array_size(stages);
    AUTO_FREE struct stage *v = calloc(t.len + 1, sizeof(*v));
    if (!v)
        return err_errno(e, -ENOMEM, "could not print the boot timeline");
    t.v = v;
    for (size_t i = 0; i < t.len && !r; i++)
        r = read_stage(json_array_get(stages, i), i, &v[i], e);
    if (r < 0)
        return r;
    qsort(v, t.len, sizeof(*v), by_start);
    r = buf_printf(out, "%-*s %9s %9s\n", STAGE_WIDTH, "STAGE", "START s", "TOOK s");
    for (size_t i = 0; i < t.len && !r; i++)
        if (!has_parent(&t, &v[i]))
            r = print_tree(&t, &v[i], 0);
    for (size_t i = 0; i < t.len && !r; i++)
        r = print_tree(&t, &v[i], 0); /* what no root leads to: circles, and what is nested too deeply */
    return r < 0 ? err_errno(e, r, "could not print the boot timeline") : 0;
}
