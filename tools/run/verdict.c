/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/run/verdict.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/bootchart.h"
#include "lib/json.h"

#define OUTPUT_INDENT "    "

static bool is_record(const json_t *doc) {
    return *verdict_state(doc) && json_is_boolean(json_object_get(doc, "ok")) &&
           json_is_array(json_object_get(doc, "failed"));
}

static bool take_line(struct verdict_reader *v, const char *line, size_t len) {
    json_t *doc = json_loadb(line, len, 0, NULL);

    if (!is_record(doc)) {
        json_decref(doc);
        return false;
    }
    json_decref(v->record);
    v->record = doc;
    return true;
}

bool verdict_feed(struct verdict_reader *v, const char *data, size_t len) {
    bool found = false;

    if (buf_append(&v->text, data, len) < 0) {
        buf_reset(&v->text); /* no record is that long: what it is, its end is not ours */
        return false;
    }
    for (const char *end; v->text.len > 0 && (end = memchr(v->text.data, '\n', v->text.len));) {
        size_t line = (size_t)(end - v->text.data);
        found |= take_line(v, v->text.data, line);
        buf_consume(&v->text, line + 1);
    }
    return found;
}

void verdict_reader_free(struct verdict_reader *v) {
    buf_free(&v->text);
    json_decref(v->record);
    v->record = NULL;
}

const char *verdict_state(const json_t *record) {
    const char *state = json_string_value(json_object_get(record, "state"));

    return state ? state : "";
}

enum verdict verdict_of(const json_t *record) {
    const char *state = verdict_state(record);

    if (strcmp(state, "up") != 0 && strcmp(state, "down") != 0)
        return VERDICT_NONE;
    return json_is_true(json_object_get(record, "ok")) ? VERDICT_OK : VERDICT_FAILED;
}

static const char *word(const json_t *obj, const char *key) {
    const char *s = json_string_value(json_object_get(obj, key));

    return s ? s : "";
}

/* The guest's words must not drive our terminal. */
static int put_word(struct buf *out, const char *s) {
    int r = 0;

    for (; *s && !r; s++) {
        bool plain = (unsigned char)*s >= ' ' && *s != 0x7f;
        r = *s == '\n' ? buf_puts(out, "\n" OUTPUT_INDENT) : buf_append(out, plain ? s : "?", 1);
    }
    return r;
}

static int print_failure(const json_t *f, struct buf *out) {
    const char *output = word(f, "output");
    int r = buf_puts(out, "  ");

    if (!r)
        r = put_word(out, word(f, "step"));
    if (!r)
        r = buf_puts(out, ": ");
    if (!r)
        r = put_word(out, word(f, "why"));
    if (!r && *output)
        r = buf_puts(out, "\n" OUTPUT_INDENT);
    if (!r)
        r = put_word(out, output);
    return r ? r : buf_puts(out, "\n");
}

int verdict_print(const json_t *record, struct buf *out) {
    const char *running = word(record, "running");
    size_t i;
    const json_t *f;

    if (!record)
        return buf_puts(out, "the guest has said nothing\n");
    int r = buf_printf(out, "the guest: %s after %.1f s, ", verdict_state(record),
                       (double)json_integer_value(json_object_get(record, "at_ms")) / 1000);
    if (!r)
        r = buf_puts(out, verdict_of(record) == VERDICT_OK       ? "ok"
                          : verdict_of(record) == VERDICT_FAILED ? "failed"
                                                                 : "not up");
    if (!r && *running)
        r = buf_puts(out, ", in ");
    if (!r)
        r = put_word(out, running);
    if (!r)
        r = buf_puts(out, "\n");
    json_array_foreach(json_object_get(record, "failed"), i, f) {
        if (r < 0)
            break;
        r = print_failure(f, out);
    }
    return r;
}

int verdict_print_json(const json_t *record, int exit_status, struct buf *out) {
    static const char *const names[] = {[VERDICT_NONE] = "none", [VERDICT_OK] = "ok", [VERDICT_FAILED] = "failed"};
    AUTO_JSON json_t *doc =
        json_pack("{s:s, s:i, s:O?}", "verdict", names[verdict_of(record)], "exit", exit_status, "record", record);
    AUTO_FREE char *text = doc ? json_dumps(doc, JSON_COMPACT) : NULL;

    if (!text)
        return -ENOMEM;
    int r = buf_puts(out, text);
    return r ? r : buf_puts(out, "\n");
}

/* ["onboot/000-dhcpcd", start, took, CPU time (all in ms), [those that it waited for]]; the last two may be missing. */
static struct bootchart_row row_of(const json_t *stage) {
    const char *name = json_string_value(json_array_get(stage, 0));
    double start_s = json_number_value(json_array_get(stage, 1)) / 1000;
    const json_t *waits = json_array_get(stage, 4);
    struct bootchart_row row = {.name = name ? name : "?",
                                .detail = "",
                                .depth = name && strchr(name, '/') ? 1 : 0,
                                .start_s = start_s,
                                .end_s = start_s + json_number_value(json_array_get(stage, 2)) / 1000,
                                .cpu_s = json_number_value(json_array_get(stage, 3)) / 1000,
                                .ok = true};

    for (size_t i = 0; i < json_array_size(waits) && i < TIMELINE_AFTER_MAX; i++)
        if (json_is_integer(json_array_get(waits, i)))
            row.waits[row.waits_len++] = (size_t)json_integer_value(json_array_get(waits, i));
    return row;
}

static void mark_failed(const json_t *record, struct bootchart_row *row) {
    const json_t *f;
    size_t i;

    json_array_foreach(json_object_get(record, "failed"), i, f) {
        if (!strcmp(word(f, "step"), row->name)) {
            row->ok = false;
            row->detail = word(f, "why");
        }
    }
}

struct placed {
    struct bootchart_row row;
    size_t was; /* its place in the record */
};

/* A whole comes before its parts. */
static int by_start(const void *a, const void *b) {
    const struct bootchart_row *x = &((const struct placed *)a)->row, *y = &((const struct placed *)b)->row;

    return x->start_s != y->start_s ? (x->start_s > y->start_s) - (x->start_s < y->start_s)
                                    : (x->end_s < y->end_s) - (x->end_s > y->end_s);
}

static size_t find_place(const struct placed *all, size_t len, size_t was) {
    size_t i = 0;

    while (i < len && all[i].was != was)
        i++;
    return i;
}

/* What had not ended when the record was made has no stage. When it began is not known: behind the last that has ended.
 */
static size_t add_running(const json_t *record, struct bootchart_row *rows, size_t len) {
    struct bootchart_row row = {.name = word(record, "running"), .detail = "it has not ended", .ok = true};

    for (size_t i = 0; i < len; i++)
        row.start_s = rows[i].end_s > row.start_s ? rows[i].end_s : row.start_s;
    row.end_s = json_number_value(json_object_get(record, "at_ms")) / 1000;
    if (!*row.name)
        return 0;
    rows[len] = row;
    return 1;
}

int verdict_draw(const json_t *record, struct buf *out) {
    const json_t *stages = json_object_get(record, "stages");
    json_int_t more = json_integer_value(json_object_get(record, "stages_more"));
    size_t len = json_array_size(stages);
    AUTO_FREE struct placed *all = calloc(len + 1, sizeof(*all));
    AUTO_FREE struct bootchart_row *rows = calloc(len + 1, sizeof(*rows));

    if (!all || !rows)
        return -ENOMEM;
    for (size_t i = 0; i < len; i++) {
        all[i] = (struct placed){row_of(json_array_get(stages, i)), i};
        mark_failed(record, &all[i].row);
    }
    qsort(all, len, sizeof(*all), by_start);
    for (size_t i = 0; i < len; i++) {
        rows[i] = all[i].row;
        for (size_t k = 0; k < rows[i].waits_len; k++)
            rows[i].waits[k] = find_place(all, len, rows[i].waits[k]);
    }
    len += add_running(record, rows, len);
    const struct bootchart chart = {rows, len, more > 0 ? (size_t)more : 0};
    return bootchart_draw(&chart, out);
}
