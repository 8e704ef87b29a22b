/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tags that a YAML document says outright, as !!str in `!!str 5`. libyaml's documents do not tell them from its
 * defaults, so they are noted while its events go by.
 */
#ifndef TOOLS_CONFIG_TAGS_H
#define TOOLS_CONFIG_TAGS_H

#include <stddef.h>
#include <yaml.h>

#include "tools/config/scalar.h"

struct tag {
    size_t at; /* index of its scalar in the text */
    enum scalar is;
};

struct tags {
    struct tag *v; /* in the text's order */
    size_t len, cap;
};

enum tags_result {
    TAGS_FINE,    /* none, a collection's, or noted */
    TAGS_UNKNOWN, /* means nothing here */
    TAGS_WRONG,   /* the scalar is not what its tag says */
    TAGS_NO_MEMORY,
};

enum tags_result tags_note(struct tags *t, const yaml_event_t *event);
/* The tag of an event as it stands in the text, or NULL. */
const char *tags_of(const yaml_event_t *event);
/* NULL: the scalar has none. */
const struct tag *tags_find(const struct tags *t, const yaml_node_t *n);
void tags_free(struct tags *t);

#endif
