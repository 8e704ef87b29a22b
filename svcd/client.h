/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SVCD_CLIENT_H
#define SVCD_CLIENT_H

#include <jansson.h>

#include "lib/err.h"

/* A note that comes before the answer: what svcd waits for. */
typedef void client_note_fn(const char *text);

struct client_ask {
    const char *cmd, *name, *signal; /* name, signal: NULL if there is none */
    unsigned wait_ms;                /* how long the socket may take to appear */
    client_note_fn *note;            /* NULL: nobody wants to know */
};

/*
 * Sends the request to svcd, which listens on path, and waits for the last answer, which *reply gets as a new
 * reference. -ENOENT or -ECONNREFUSED: svcd is not there.
 */
int client_request(const char *path, const struct client_ask *ask, json_t **reply, struct err *e);

#endif
