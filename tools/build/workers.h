/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes the parts of a plan that have a key, two at a time (WORKERS) and at most WORKERS_AHEAD parts before they are
 * taken; or finds them in the store. What is found there is read and compared with its digest before it is used.
 */
#ifndef TOOLS_BUILD_WORKERS_H
#define TOOLS_BUILD_WORKERS_H

#include "tools/build/plan.h"
#include "tools/build/store.h"
#include "tools/output/segment.h"

#define WORKERS 2
#define WORKERS_AHEAD 16

struct workers;

/* All that is given must outlive the workers. */
int workers_start(const struct build *b, struct plan *plan, const struct store *store, struct workers **out,
                  struct err *e);
/* Waits for part i, and fills its note; parts with keys are to be taken in their order. s->fd is the caller's to close;
 * it is -1 after an error. */
int workers_take(struct workers *w, size_t i, struct segment *s, struct err *e);
/* Waits until they have put down what they are at. */
void workers_stop(struct workers *w);
DEFINE_AUTO(struct workers *, workers_stop)
#define AUTO_WORKERS AUTO(workers_stop_auto)

#endif
