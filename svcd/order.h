/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `after`: who starts behind whom, and stops before whom. It is an order and no need: who is not there, cannot be
 * started, or is not ready in its time is not waited for.
 */
#ifndef SVCD_ORDER_H
#define SVCD_ORDER_H

#include "svcd/service.h"

/*
 * Finds the services that each one's policy names. An unknown name is said and ignored; who waits for itself, however
 * far around, is said with all others of the circle, and these do not wait for each other. -ENOMEM: nobody waits.
 */
int order_resolve(struct service *services, size_t len);

/* All that it waits for is ready, has done its work, or has come to another result. */
bool order_may_start(const struct service *s);

/* All that start behind it are down. */
bool order_may_stop(const struct service *s);

/* What a stop of all may take, each with its whole grace: the longest chain. */
uint64_t order_stop_ms(const struct service *services, size_t len);

#endif
