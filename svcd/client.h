/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SVCD_CLIENT_H
#define SVCD_CLIENT_H

#include <jansson.h>

#include "lib/err.h"

/*
 * Sends the request to svcd, which listens on path, and waits for the last answer, which *reply gets as a new
 * reference; name may be NULL. wait_ms: how long the socket may take to appear. -ENOENT or -ECONNREFUSED: svcd is not
 * there.
 */
int client_request(const char *path, const char *cmd, const char *name, unsigned wait_ms, json_t **reply,
                   struct err *e);

#endif
