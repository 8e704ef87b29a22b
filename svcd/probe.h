/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One look at a running service: a command in its container (through containerd), a connection to a port or a request
 * for a page in its network namespace, a file as it sees it. Nothing of it blocks: a child looks for a file (look.h).
 */
#ifndef SVCD_PROBE_H
#define SVCD_PROBE_H

#include "svcd/service.h"

#define PROBE_EXEC_ID "keelson-probe" /* and a number: what `ctr task ps` shows of a command */

/* Ends what is under way, then begins; the result comes through service_probed(), at once or later. */
void probe_start(struct service *s, const struct probe_policy *p, uint64_t timeout_ms);
void probe_stop(struct service *s);

#endif
