/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <strings.h>

#include "tools/config/schema.h"

#define WORD_MAX 32
#define DISTANCE_MAX 2 /* beyond it, the words have nothing to do with each other */

/* Levenshtein distance of short words. */
static unsigned distance(const char *a, const char *b) {
    unsigned row[WORD_MAX + 1];
    size_t len = strlen(b);

    if (len > WORD_MAX || strlen(a) > WORD_MAX)
        return DISTANCE_MAX + 1;
    for (unsigned j = 0; j <= len; j++)
        row[j] = j;
    for (unsigned i = 1; a[i - 1]; i++) {
        unsigned diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= len; j++) {
            unsigned change = diagonal + (a[i - 1] != b[j - 1]);
            unsigned least = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;
            diagonal = row[j];
            row[j] = change < least ? change : least;
        }
    }
    return row[len];
}

const char *schema_nearest_key(const struct schema *schema, const char *key) {
    const char *best = NULL;
    unsigned least = DISTANCE_MAX + 1;

    for (const struct schema_field *f = schema->fields; f->key; f++) {
        unsigned d = !strcasecmp(key, f->key) ? 0 : distance(key, f->key);
        if (d < least) {
            least = d;
            best = f->key;
        }
    }
    return best;
}
