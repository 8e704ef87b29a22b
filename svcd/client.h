/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SVCD_CLIENT_H
#define SVCD_CLIENT_H

#include <jansson.h>
#include <stdbool.h>

#include "lib/err.h"

#define CLIENT_SIGN_MS 10000
#define CLIENT_SIGN_MAX_MS 60000 /* how often it is asked in the end, while what it was asked for takes long */

/* A note that comes before the answer: what svcd waits for. */
typedef void client_note_fn(const char *text);

struct client_ask {
    const char *cmd, *name, *signal; /* name, signal: NULL if there is none */
    unsigned wait_ms;                /* how long the socket may take to appear */
    client_note_fn *note;            /* NULL: nobody wants to know */
    unsigned sign_ms;                /* how long svcd may be silent before it is asked for a sign; 0: CLIENT_SIGN_MS */
};

/*
 * Sends the request to svcd, which listens on path, and waits for the last answer, which *reply gets as a new
 * reference. An answer may take as long as it likes, but svcd must not: asked for a sign of life on a second connection
 * it has as long once more. -ENOENT or -ECONNREFUSED: svcd is not there. -ETIMEDOUT: it does not answer.
 * -EACCES: it has turned us away. -ECONNRESET: it has, or it ended before it answered.
 */
int client_request(const char *path, const struct client_ask *ask, json_t **reply, struct err *e);

/* Whether an svcd lives that listens on path; a socket alone may be left from one that was killed. */
bool client_is_served(const char *path);

#endif
