/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/output/output.h"

int output_add(struct output *o, const struct entry *entry, const struct entry_content *content,
               const struct origin *origin, struct err *e) {
    return o->type->add(o, entry, content, origin, e);
}

bool output_takes_segments(const struct output *o) {
    return o->type->add_segment != NULL;
}

int output_add_segment(struct output *o, const struct segment *s, struct err *e) {
    return o->type->add_segment(o, s, e);
}

int output_finish(struct output *o, struct err *e) {
    return o->type->finish(o, e);
}

int output_commit(struct output *o, struct err *e) {
    return o->type->commit ? o->type->commit(o, e) : 0;
}

int output_complete(struct output *o, struct err *e) {
    int r = output_finish(o, e);

    return r ? r : output_commit(o, e);
}

void output_free(struct output *o) {
    o->type->free(o);
}
