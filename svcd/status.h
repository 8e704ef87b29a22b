/* SPDX-License-Identifier: Apache-2.0 */
/* What `service status` shows beyond the list: new references, NULL without memory. */
#ifndef SVCD_STATUS_H
#define SVCD_STATUS_H

#include <jansson.h>

#include "svcd/service.h"

/* A string as it is, if that is UTF-8; a runtime's words may be anything, or cut off within a character: with '?' then.
 */
json_t *status_text(const char *s);

/* How it is supervised, times in milliseconds. */
json_t *status_policy(const struct service *s);

/* Memory, processor time, processes, of its control group; null while it is not known. */
json_t *status_cgroup(const struct service *s);

#endif
