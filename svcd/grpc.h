/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A gRPC client (the HTTP/2 mapping of gRPC; unary calls, and streams of messages from the server) over one
 * non-blocking connection to a unix socket, on the event loop. Any number of calls may be under way. A frame that
 * HTTP/2 forbids, or a message over GRPC_MESSAGE_MAX, ends the connection, not the process.
 */
#ifndef SVCD_GRPC_H
#define SVCD_GRPC_H

#include <stdint.h>

#include "lib/err.h"
#include "lib/loop.h"

#define GRPC_MESSAGE_MAX ((size_t)16 << 20)
#define GRPC_ERROR_MAX 512

/* gRPC status codes that are told apart here. */
enum { GRPC_OK = 0, GRPC_NOT_FOUND = 5, GRPC_ALREADY_EXISTS = 6, GRPC_UNIMPLEMENTED = 12 };

struct grpc;
struct grpc_call;

struct grpc_result {
    int status;        /* 0, a gRPC status above 0, or a negative errno: -ECONNRESET, -ETIMEDOUT, -ECANCELED */
    const char *error; /* "" or the server's own words */
    const uint8_t *message;
    size_t len;
};

/* Called once for each call; the result is valid during the callback. New calls may be made in it. */
typedef void grpc_done_fn(void *data, const struct grpc_result *result);

/* The connection is gone, all calls have been answered; grpc_close() is up to the callee. */
typedef void grpc_lost_fn(void *data);

/* A message of a stream. The connection may not be closed in it; calls may be made. */
typedef void grpc_message_fn(void *data, const uint8_t *message, size_t len);

/* Connects at once or fails (-ENOENT, -ECONNREFUSED: nobody listens yet). `metadata` header is added to each call. */
int grpc_connect(struct grpc **out, struct loop *l, const char *socket_path, const char *ns, grpc_lost_fn *lost,
                 void *data);
/* The same on a connected, non-blocking socket, which is the connection's from now on, also when this fails. */
int grpc_open(struct grpc **out, struct loop *l, int fd, const char *ns, grpc_lost_fn *lost, void *data);
void grpc_close(struct grpc *g); /* answers what is under way with -ECONNRESET; not from a grpc_done_fn */

#define GRPC_NS_MAX 80 /* with its end; containerd takes 76 bytes */

/* For the next call only: this `metadata` instead of the connection's, unless it is "". */
void grpc_use_namespace(struct grpc *g, const char *ns);

/*
 * `method` is "/package.Service/Method". timeout_ms 0: none. done is never called before grpc_call() has returned.
 * Returns 0 or a negative errno (then done is not called).
 */
int grpc_call(struct grpc *g, const char *method, const uint8_t *request, size_t len, unsigned timeout_ms,
              grpc_done_fn *done, void *data);

/*
 * The call whose `data` that is, if one is under way: the server is told, and done is called with -ECANCELED, before
 * this returns.
 */
void grpc_give_up(struct grpc *g, const void *data);

/* A stream: on_message for each message, and done, once, when it ends (without a message). No deadline. */
int grpc_stream(struct grpc *g, const char *method, const uint8_t *request, size_t len, grpc_message_fn *on_message,
                grpc_done_fn *done, void *data);

#endif
