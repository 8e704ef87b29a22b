/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOOLS_REGISTRY_REGISTRY_PRIV_H
#define TOOLS_REGISTRY_REGISTRY_PRIV_H

#include <jansson.h>
#include <pthread.h>

#include "tools/image/blob.h"
#include "tools/registry/creds.h"
#include "tools/registry/http.h"
#include "tools/registry/registry.h"
#include "tools/registry/sign_in.h"

struct token {
    char *scope;
    char *header; /* "Bearer ..." */
};

/* A server that has a registry's images: itself, or a mirror of it. */
struct endpoint {
    char *registry; /* whose images; NULL: of all that have no mirror of their own */
    char *url;      /* without /v2; before the first request it may lack a scheme */
    char *host;     /* for credentials and messages */
    bool mirror;
    bool silent; /* it did not answer at all, and is not asked again */
    enum sign_in sign_in;
    char *realm, *service;
    struct creds creds;
    bool creds_sought;
    struct token *tokens;
    size_t tokens_len;
    struct endpoint *next;
};

struct registry {
    struct registry_options options;
    char *strings[5]; /* owned copies of the options' texts */
    struct endpoint *endpoints;
    char **asked; /* names whose tag was looked up in this session */
    size_t asked_len;
    pthread_mutex_t lock; /* of sign-in and tokens */
    CURL *curl;           /* of the caller's thread */
};

/* The mirrors of a registry, in order, and then itself. */
#define ENDPOINTS_MAX 16
int registry_endpoints(struct registry *r, const char *name, struct endpoint **list, size_t *len, struct err *e);

bool registry_has_asked(const struct registry *r, const char *name);
int registry_note_asked(struct registry *r, const char *name, struct err *e);

/* --- auth.c --- */

/* Learns, once, how the endpoint is spoken to: with or without TLS, and how one signs in. */
int endpoint_open(struct registry *r, struct endpoint *ep, CURL *curl, struct err *e);
/* It lets everybody in, and now asks who we are all the same: from here on it is signed in to. */
int endpoint_challenged(struct registry *r, struct endpoint *ep, const char *text, struct err *e);
/* The Authorization header for pulling from or pushing to the repository, malloc'd; NULL in *out: none is needed. */
int endpoint_authorize(struct registry *r, struct endpoint *ep, CURL *curl, const char *repository, bool push,
                       char **out, struct err *e);
/* The header was refused: the next endpoint_authorize() asks for another. */
void endpoint_forget(struct registry *r, struct endpoint *ep, const char *header);
void endpoint_free(struct endpoint *ep);
/* "; PROGRAM exited with ...": why there are no credentials for it, for the end of a message. "": that is not known. */
const char *endpoint_complaint(const struct endpoint *ep, char *out, size_t len);

/* --- request.c --- */

struct target {
    struct registry *registry;
    struct endpoint *endpoint;
    CURL *curl;
    const char *repository;
    bool push;
};

/*
 * Sends the request to "URL/v2/REPOSITORY/PATH" (or to rq->url if path is NULL), signed in, as often as it may help.
 * 0 with a status of 2xx; -ENOENT for 404, -EACCES for 401 and 403; the message says what the server said.
 */
int target_request(const struct target *t, const char *path, struct http_request *rq, struct http_reply *rp,
                   struct err *e);

/* --- manifest.c --- */

#define ACCEPT_MANIFESTS                                                                                               \
    "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, "                            \
    "application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.docker.distribution.manifest.v2+json"

/* Fetches a manifest or index by tag or digest, checks it, and stores it in the cache unless cache_dir is NULL. */
int manifest_fetch(const struct target *t, const char *cache_dir, const char *version, struct blob_desc *desc,
                   json_t **doc, struct err *e);
/* From the cache if it is there, else from the registry. */
int manifest_get(const struct target *t, const char *cache_dir, struct blob_desc *desc, json_t **doc, struct err *e);
/* Sends a manifest of the cache, under a tag or its digest. */
int manifest_put(const struct target *t, const char *cache_dir, const struct blob_desc *desc, const char *version,
                 struct err *e);
/* -EINVAL: `to` is pinned to another digest than what is to get the name has. */
int manifest_check_name(const struct blob_desc *desc, const struct reference *to, struct err *e);
bool manifest_is_index(const json_t *doc);
/* What the document says it is; else `otherwise`, if that can be; else what it looks like. */
void manifest_set_type(struct blob_desc *desc, const json_t *doc, const char *otherwise);

/* --- layers.c --- */

struct progress;

/* What a pull or a push moves, in parallel; equal digests once. */
struct transfer {
    const struct target *target; /* its endpoint is asked; each worker has a handle of its own */
    const char *cache_dir;
    struct blob_desc *blobs;
    size_t len, cap;
    int (*move)(struct transfer *x, CURL *curl, size_t index, struct err *e);
    struct progress *progress;
    pthread_mutex_t lock;
    size_t next;
    struct err err; /* the first */
};

int transfer_add(struct transfer *x, const struct blob_desc *desc, struct err *e);
int transfer_run(struct transfer *x, const char *title, struct err *e);
void transfer_free(struct transfer *x);

/* A `move`: fetches one blob into the cache. */
int blob_fetch(struct transfer *x, CURL *curl, size_t index, struct err *e);

/* --- progress.c --- */

/* NULL where there is nothing to draw on, or nothing to be said (keelson -q). All functions take that NULL, and are
 * safe from several threads. */
struct progress *progress_new(const char *title, const struct blob_desc *blobs, size_t len);
void progress_set(struct progress *p, size_t index, uint64_t bytes);
void progress_free(struct progress *p);

#endif
