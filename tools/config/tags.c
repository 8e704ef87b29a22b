/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/config/tags.h"

#include <stdbool.h>
#include <string.h>

#include "lib/array.h"

#define CORE "tag:yaml.org,2002:"

const char *tags_of(const yaml_event_t *event) {
    const yaml_char_t *tag = event->type == YAML_SCALAR_EVENT           ? event->data.scalar.tag
                             : event->type == YAML_SEQUENCE_START_EVENT ? event->data.sequence_start.tag
                             : event->type == YAML_MAPPING_START_EVENT  ? event->data.mapping_start.tag
                                                                        : NULL;

    return (const char *)tag;
}

/* False: not one of a scalar. */
static bool find_type(const char *word, enum scalar *is) {
    static const struct {
        const char *word;
        enum scalar is;
    } types[] = {
        {"str", SCALAR_STRING}, {"null", SCALAR_NULL},   {"bool", SCALAR_BOOL},
        {"int", SCALAR_INT},    {"float", SCALAR_FLOAT}, {"merge", SCALAR_STRING},
    };

    for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++)
        if (!strcmp(word, types[i].word)) {
            *is = types[i].is;
            return true;
        }
    return false;
}

enum tags_result tags_note(struct tags *t, const yaml_event_t *event) {
    const char *tag = tags_of(event), *word = NULL;
    enum scalar is = SCALAR_STRING, looks;
    json_int_t number;

    if (!tag)
        return TAGS_FINE;
    if (!strncmp(tag, CORE, strlen(CORE)))
        word = tag + strlen(CORE);
    if (event->type != YAML_SCALAR_EVENT) {
        const char *own = event->type == YAML_MAPPING_START_EVENT ? "map" : "seq";
        return !strcmp(tag, "!") || (word && !strcmp(word, own)) ? TAGS_FINE : TAGS_UNKNOWN;
    }
    if (strcmp(tag, "!") != 0 && !(word && find_type(word, &is)))
        return TAGS_UNKNOWN;
    const char *text = (const char *)event->data.scalar.value;
    looks = strlen(text) == event->data.scalar.length ? scalar_resolve(text, &number) : SCALAR_STRING;
    if (is != SCALAR_STRING && is != looks && !(is == SCALAR_FLOAT && looks == SCALAR_INT))
        return TAGS_WRONG;
    if (ARRAY_ROOM(t->v, t->len, t->cap) < 0)
        return TAGS_NO_MEMORY;
    t->v[t->len++] = (struct tag){event->start_mark.index, is};
    return TAGS_FINE;
}

static int by_place(const void *key, const void *member) {
    size_t at = *(const size_t *)key, other = ((const struct tag *)member)->at;

    return at < other ? -1 : at > other;
}

const struct tag *tags_find(const struct tags *t, const yaml_node_t *n) {
    return t->len ? bsearch(&n->start_mark.index, t->v, t->len, sizeof(*t->v), by_place) : NULL;
}

void tags_free(struct tags *t) {
    free(t->v);
    *t = (struct tags){0};
}
