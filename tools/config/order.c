/* SPDX-License-Identifier: Apache-2.0 */
/* The start order that `after` gives services: every name must be there, and no service may wait for itself. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tools/config/config_priv.h"

#define CIRCLE_SHOWN 300 /* bytes of a circle in a message */

struct order {
    const struct config *config;
    const json_t *after; /* NULL: as the YAML has it */
    json_t *index;       /* name -> position among the services */
    size_t *behind;      /* for each service: through which one the search came to it, plus 1; 0: not yet */
    size_t *edge;        /* for each service: how many of its names were looked at */
    bool *done;
};

static const struct config_container *service_of(const struct order *o, size_t service) {
    return &o->config->containers[SECTION_SERVICES][service];
}

static const char *name_of(const struct order *o, size_t service) {
    return service_of(o, service)->name;
}

static const json_t *names_of(const struct order *o, size_t service) {
    return o->after ? json_object_get(o->after, name_of(o, service))
                    : json_object_get(json_object_get(service_of(o, service)->fields, "runtime"), "after");
}

/* Of the service's i-th name, malloc'd: in the YAML if that has the word. */
static char *place_of(const struct order *o, size_t service, size_t i) {
    const struct config_container *c = service_of(o, service);
    const json_t *runtime = json_object_get(c->fields, "runtime");
    const char *place = yaml_place(runtime, "after", i);

    return json_object_get(runtime, "after") ? strdup(place ? place : c->place) : config_label_place(c);
}

/* `last` waits for `first`, and first, through others, for last. */
static void report_circle(const struct order *o, size_t first, size_t last, struct problems *p) {
    char text[CIRCLE_SHOWN + 8] = "";
    size_t len = 0;

    for (size_t at = last;; at = o->behind[at] - 1) {
        int n = snprintf(text + len, sizeof(text) - len, "%s <- ", name_of(o, at));
        if (n < 0 || len + (size_t)n > CIRCLE_SHOWN) {
            (void)snprintf(text + len, sizeof(text) - len, "... <- ");
            break;
        }
        len += (size_t)n;
        if (at == first)
            break;
    }
    AUTO_FREE char *place = place_of(o, last, o->edge[last] - 1);
    problem(p, place, "services wait for each other in a circle, so none can start: %s%s; remove one \"after\"", text,
            name_of(o, last));
}

static bool next_name(struct order *o, size_t at, size_t *other) {
    const json_t *names = names_of(o, at), *number;

    while (o->edge[at] < json_array_size(names)) {
        const char *name = json_string_value(json_array_get(names, o->edge[at]++));
        number = name ? json_object_get(o->index, name) : NULL;
        if (number) {
            *other = (size_t)json_integer_value(number);
            return true;
        }
    }
    return false;
}

/* Depth first, without recursion: a chain may be as long as the file. */
static void search(struct order *o, size_t start, struct problems *p) {
    size_t at = start, other;

    o->behind[start] = start + 1;
    for (;;) {
        if (!next_name(o, at, &other)) {
            o->done[at] = true;
            if (at == start)
                return;
            at = o->behind[at] - 1;
        } else if (!o->behind[other]) {
            o->behind[other] = at + 1;
            at = other;
        } else if (!o->done[other]) {
            report_circle(o, other, at, p);
        }
    }
}

static int check_names(struct order *o, struct problems *p) {
    const struct config *c = o->config;
    const json_t *name;
    size_t i;

    for (size_t s = 0; s < c->containers_len[SECTION_SERVICES]; s++)
        if (json_object_set_new(o->index, name_of(o, s), json_integer((json_int_t)s)) < 0)
            return -ENOMEM;
    for (size_t s = 0; s < c->containers_len[SECTION_SERVICES]; s++)
        json_array_foreach(names_of(o, s), i, name) {
            const char *text = json_string_value(name);
            if (!text || json_object_get(o->index, text))
                continue;
            AUTO_FREE char *place = place_of(o, s, i);
            problem(p, place, "service \"%s\" is to start after \"%.100s\", but there is no such service",
                    name_of(o, s), text);
        }
    return 0;
}

int config_check_order(const struct config *c, const json_t *after, struct problems *p) {
    size_t len = c->containers_len[SECTION_SERVICES];
    AUTO_JSON json_t *index = json_object();
    AUTO_FREE size_t *behind = calloc(len + 1, sizeof(*behind)), *edge = calloc(len + 1, sizeof(*edge));
    AUTO_FREE bool *done = calloc(len + 1, sizeof(*done));
    struct order o = {.config = c, .after = after, .index = index, .behind = behind, .edge = edge, .done = done};

    if (!index || !behind || !edge || !done || check_names(&o, p) < 0)
        return -ENOMEM;
    for (size_t s = 0; s < len; s++)
        if (!behind[s])
            search(&o, s, p);
    return 0;
}
