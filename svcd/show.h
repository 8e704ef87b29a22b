/* SPDX-License-Identifier: Apache-2.0 */
/* svcd's answers as text for people: `service list`, `service status`. -ENOMEM. */
#ifndef SVCD_SHOW_H
#define SVCD_SHOW_H

#include <jansson.h>

#include "lib/buf.h"

/* A line a service, with a head line. */
int show_list(const json_t *services, struct buf *out);

/* One service, a line a matter. */
int show_status(const json_t *service, struct buf *out);

/* How one has ended, on a line: "stopped: it exited with status 0"; of one that has failed: why. */
int show_end(const json_t *service, struct buf *out);

#endif
