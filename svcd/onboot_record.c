/* SPDX-License-Identifier: Apache-2.0 */
#include "svcd/onboot_record.h"

#include <errno.h>
#include <string.h>

#include "lib/auto.h"
#include "lib/fdutil.h"

static const char *const outcome_names[OUTCOMES] = {
    [OUTCOME_OK] = "ok",         [OUTCOME_ERROR] = "error",       [OUTCOME_EXIT] = "exit",
    [OUTCOME_SIGNAL] = "signal", [OUTCOME_DEADLINE] = "deadline",
};

const char *outcome_name(enum outcome o) {
    return outcome_names[o];
}

void record_init(struct oneshot_record *rec) {
    *rec = (struct oneshot_record){.containers = json_array()};
}

/* Names of directories and the words of programs need not be UTF-8. */
static json_t *text_or_question_marks(const char *text) {
    json_t *out = json_string(text);

    if (out)
        return out;
    AUTO_FREE char *ascii = strdup(text);
    for (char *p = ascii; p && *p; p++)
        if (*p & 0x80)
            *p = '?';
    return ascii ? json_string(ascii) : NULL;
}

void record_add(struct oneshot_record *rec, const char *name, const struct oneshot_result *result) {
    rec->counts[result->outcome]++;
    rec->runc_ns += result->runc_ns;
    rec->own_ns += result->own_ns;
    json_t *one = json_pack("{s:o, s:s, s:i, s:o, s:O*, s:I, s:I}", "name", text_or_question_marks(name), "outcome",
                            outcome_names[result->outcome], "number", result->number, "error",
                            text_or_question_marks(result->error), "left", result->left, "runc_ns",
                            (json_int_t)result->runc_ns, "own_ns", (json_int_t)result->own_ns);
    if (json_array_append_new(rec->containers, one) < 0) {
        json_decref(rec->containers);
        rec->containers = NULL;
    }
}

unsigned record_failures(const struct oneshot_record *rec) {
    unsigned n = 0;

    for (int o = OUTCOME_OK + 1; o < OUTCOMES; o++)
        n += rec->counts[o];
    return n;
}

const char *record_summary(const struct oneshot_record *rec, char *buf, size_t len) {
    size_t used = 0;

    for (int o = 0; o < OUTCOMES; o++) {
        int n = rec->counts[o] ? snprintf(buf + used, len - used, "%u %s, ", rec->counts[o], outcome_names[o]) : 0;
        if (n > 0 && (size_t)n < len - used)
            used += (size_t)n;
    }
    (void)snprintf(buf + used, len - used, "runc %.3f s, own %.3f s", (double)rec->runc_ns / 1e9,
                   (double)rec->own_ns / 1e9);
    return buf;
}

static json_t *pack_counts(const struct oneshot_record *rec) {
    json_t *counts = json_object();

    for (int o = 0; o < OUTCOMES; o++)
        if (json_object_set_new(counts, outcome_names[o], json_integer(rec->counts[o])) < 0) {
            json_decref(counts);
            return NULL;
        }
    return counts;
}

int record_save(const struct oneshot_record *rec, const char *path, struct err *e) {
    json_t *doc = json_pack("{s:o, s:I, s:I, s:O*}", "counts", pack_counts(rec), "runc_ns", (json_int_t)rec->runc_ns,
                            "own_ns", (json_int_t)rec->own_ns, "containers", rec->containers);
    AUTO_FREE char *text = doc ? json_dumps(doc, JSON_INDENT(1)) : NULL;

    json_decref(doc);
    if (!text)
        return err_errno(e, -ENOMEM, "could not write %s", path);
    return write_file_atomic(path, text, strlen(text), 0644, false, e);
}

void record_fini(struct oneshot_record *rec) {
    json_decref(rec->containers);
    rec->containers = NULL;
}
