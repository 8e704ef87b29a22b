/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Exchanges over HTTP, on libcurl: redirects are followed (at most HTTP_REDIRECTS_MAX; credentials stay with the host
 * they were meant for; never from https down to http), proxies are taken from the environment. A handle belongs to one
 * thread.
 */
#ifndef TOOLS_REGISTRY_HTTP_H
#define TOOLS_REGISTRY_HTTP_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stdint.h>

#include "lib/buf.h"
#include "lib/err.h"

#define HTTP_REDIRECTS_MAX 10L
#define HTTP_CONNECT_SECONDS 20L
#define HTTP_STALL_SECONDS 30L        /* less than a byte a second for that long: the connection is given up */
#define HTTP_UPLOAD_STALL_SECONDS 60L /* after an upload a server may have much to do before it says so */
#define HTTP_SILENT_TRIES 2u          /* with silence between them; an upload has one */
#define HTTP_TRIES_MAX 6u
#define HTTP_WAIT_SAID_MS 5000u
#define HTTP_PAUSE_MAX_MS 60000u /* no Retry-After makes us wait longer */
#define HTTP_ERROR_BODY_MAX ((size_t)64 << 10)

/* Takes a piece of a body; a negative errno, with *e set, ends the transfer. */
typedef int http_sink_fn(void *ctx, const void *data, size_t len, struct err *e);

struct http_request {
    /* Called before each try, the first too: puts the sink back to its start, or says in `from` how far it is. */
    void (*prepare)(struct http_request *rq);
    const char *method; /* "GET", "HEAD", "POST", "PUT" */
    const char *url;
    const char *accept, *authorization, *content_type; /* header values; NULL: none */
    const char *form;                                  /* POST: an encoded form as the body; NULL: none */
    int body_fd;                                       /* PUT: body_len bytes from the start of it */
    const char *body;                                  /* PUT: body_len bytes of memory instead; NULL: body_fd */
    uint64_t body_len;
    uint64_t from;       /* GET: only the bytes from here on */
    const char *ca_file; /* trusted besides the system's; NULL: none */
    long stall_seconds;  /* 0: as above */
    http_sink_fn *sink;  /* gets the body of a status 200 or 206; NULL: nobody wants it */
    void *sink_ctx;
    void (*sent)(void *ctx, uint64_t bytes); /* upload progress; may be NULL */
    void *sent_ctx;
};

struct http_reply {
    long status;
    char location[2048];  /* absolute, of a status 2xx */
    char challenge[2048]; /* WWW-Authenticate; of several the one whose way we like best */
    char content_type[128];
    char digest[96]; /* Docker-Content-Digest */
    unsigned retry_after_ms;
    struct buf error; /* body of any other status */
};

void http_reply_free(struct http_reply *r);
#define AUTO_REPLY AUTO(http_reply_free)

/*
 * Tries until there is a reply that another try would not better: connections that break and the statuses 408, 429,
 * 500, 502, 503 and 504 are repeated, HTTP_TRIES_MAX times without progress, with growing pauses or as the server asks.
 * What is silent is given up sooner: a minute, at most. What is waited for is said after HTTP_WAIT_SAID_MS.
 *
 * 0: there is a reply, whatever its status. -ECONNREFUSED: there is no such server. -EPROTO: it does not speak TLS, or
 * not HTTP. -ETIMEDOUT: it is silent. -EKEYREJECTED: its certificate is not right. Others are the sink's, or tell that
 * it broke too often.
 */
int http_request(CURL *curl, struct http_request *rq, struct http_reply *rp, struct err *e);

/* Statuses that a server in trouble gives. */
bool http_status_passes(long status);

/* What the server says of its refusal, in one printable line, for a message; "" if nothing. */
void http_reason(const struct http_reply *rp, char *out, size_t len);

#endif
