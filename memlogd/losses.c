/* SPDX-License-Identifier: Apache-2.0 */
#include "memlogd/losses.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct loss {
    struct loss *next;
    uint64_t lines;
    uint16_t name_len;
    char name[];
};

static bool is_of(const struct loss *l, const struct ring_entry *e) {
    return l->name_len == e->source_len && !memcmp(l->name, e->source, e->source_len);
}

/* At the head of the list, where it is found at once with its next line. NULL: one source too many, or no memory. */
static struct loss *loss_of(struct losses *l, const struct ring_entry *e) {
    struct loss **at = &l->sources, *found;

    while (*at && !is_of(*at, e))
        at = &(*at)->next;
    found = *at;
    if (found) {
        *at = found->next;
    } else {
        found = l->len < LOSSES_MAX ? calloc(1, sizeof(*found) + e->source_len) : NULL;
        if (!found)
            return NULL;
        found->name_len = e->source_len;
        memcpy(found->name, e->source, e->source_len);
        l->len++;
    }
    found->next = l->sources;
    l->sources = found;
    return found;
}

void losses_count(struct losses *l, const struct ring_entry *e) {
    struct loss *of = loss_of(l, e);

    if (of)
        of->lines++;
    else
        l->others++;
}

uint64_t losses_total(const struct losses *l) {
    uint64_t total = l->before + l->others;

    for (const struct loss *s = l->sources; s; s = s->next)
        total += s->lines;
    return total;
}

size_t losses_take(struct losses *l, char text[LOSSES_TEXT_MAX]) {
    struct loss *s = l->sources;
    int n;

    if (l->before) {
        n = snprintf(text, LOSSES_TEXT_MAX, "%llu lines lost: pushed out before this reader came back",
                     (unsigned long long)l->before);
        l->before = 0;
    } else if (s) {
        n = snprintf(text, LOSSES_TEXT_MAX, "%llu lines of %.*s lost: this reader was too slow",
                     (unsigned long long)s->lines, (int)s->name_len, s->name);
        l->sources = s->next;
        l->len--;
        free(s);
    } else {
        n = snprintf(text, LOSSES_TEXT_MAX, "%llu lines of other sources lost: this reader was too slow",
                     (unsigned long long)l->others);
        l->others = 0;
    }
    return n < 0 ? 0 : (size_t)n < LOSSES_TEXT_MAX ? (size_t)n : LOSSES_TEXT_MAX - 1;
}

void losses_free(struct losses *l) {
    while (l->sources) {
        struct loss *s = l->sources;
        l->sources = s->next;
        free(s);
    }
    *l = (struct losses){0};
}
