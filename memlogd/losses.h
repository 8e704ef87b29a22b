/* SPDX-License-Identifier: Apache-2.0 */
/* What one reader has lost: lines of which sources. Memory is taken with the first loss and given back once it is told.
 */
#ifndef MEMLOGD_LOSSES_H
#define MEMLOGD_LOSSES_H

#include <stddef.h>
#include <stdint.h>

#include "memlogd/ring.h"

#define LOSSES_MAX 64 /* sources that are told apart */
#define LOSSES_TEXT_MAX (RING_SOURCE_MAX + 96)

struct loss;

struct losses {
    struct loss *sources; /* by name, the one that lost last first */
    unsigned len;         /* of them, at most LOSSES_MAX */
    uint64_t others;      /* lines of further ones */
    uint64_t before;      /* lines that were pushed out before the reader came back */
};

void losses_count(struct losses *l, const struct ring_entry *e);
uint64_t losses_total(const struct losses *l);
/* The text of the next notice, which is forgotten with that; there must be one. Returns its length. */
size_t losses_take(struct losses *l, char text[LOSSES_TEXT_MAX]);
void losses_free(struct losses *l);

#endif
