/* SPDX-License-Identifier: Apache-2.0 */
/* A request to an endpoint, signed in, and what its answer means. */
#include <errno.h>
#include <string.h>

#include "tools/registry/helper.h"
#include "tools/registry/registry_priv.h"

/* Credentials go to the endpoint only: an upload's address may lie on another host. */
static bool is_own(const struct endpoint *ep, const char *url) {
    size_t len = strcspn(strstr(ep->url, "://") + 3, "/") + (size_t)(strstr(ep->url, "://") + 3 - ep->url);

    return !strncmp(url, ep->url, len) && (url[len] == '/' || url[len] == '\0' || url[len] == '?');
}

static int signed_in(const struct target *t, struct http_request *rq, struct http_reply *rp, char **header,
                     struct err *e) {
    int r = is_own(t->endpoint, rq->url)
                ? endpoint_authorize(t->registry, t->endpoint, t->curl, t->repository, t->push, header, e)
                : 0;

    if (r < 0)
        return r;
    rq->authorization = *header;
    r = http_request(t->curl, rq, rp, e);
    rq->authorization = NULL;
    return r < 0 ? err_wrap(e, r, "%s", t->endpoint->host) : 0;
}

static int status_error(const struct target *t, const struct http_reply *rp, struct err *e) {
    char why[256], more[HELPER_WORDS_MAX + 128];
    const char *host = t->endpoint->host;

    http_reason(rp, why, sizeof(why));
    (void)endpoint_complaint(t->endpoint, more, sizeof(more));
    if (rp->status == 404)
        return err_set(e, -ENOENT, "%s does not have it%s", host, why);
    if (rp->status == 401 && !t->endpoint->creds.user && !t->endpoint->creds.identity)
        return err_set(e, -EACCES, "%s wants to know who asks: docker login %s, or use --creds%s%s", host, host, why,
                       more);
    if (rp->status == 401 || rp->status == 403)
        return err_set(e, -EACCES, "%s does not allow it (status %ld)%s%s", host, rp->status, why, more);
    if (rp->status == 429)
        return err_set(e, -EBUSY, "%s has had too many requests (status 429)%s", host, why);
    return err_set(e, -EIO, "%s answers with status %ld%s", host, rp->status, why);
}

int target_request(const struct target *t, const char *path, struct http_request *rq, struct http_reply *rp,
                   struct err *e) {
    AUTO_FREE char *url = NULL, *header = NULL, *fresh = NULL;
    int r = endpoint_open(t->registry, t->endpoint, t->curl, e);

    if (r < 0)
        return r;
    if (path && asprintf(&url, "%s/v2/%s/%s", t->endpoint->url, t->repository, path) < 0) {
        url = NULL;
        return err_errno(e, -ENOMEM, "could not ask %s", t->endpoint->host);
    }
    if (url)
        rq->url = url;
    rq->ca_file = t->registry->options.ca_file;
    r = signed_in(t, rq, rp, &header, e);
    if (!r && rp->status == 401 && header) { /* a token may have run out; another one may do */
        endpoint_forget(t->registry, t->endpoint, header);
        r = signed_in(t, rq, rp, &fresh, e);
    } else if (!r && rp->status == 401 && *rp->challenge && is_own(t->endpoint, rq->url)) {
        /* Parts of it are for everybody, and this is none of them. */
        r = endpoint_challenged(t->registry, t->endpoint, rp->challenge, e);
        if (!r)
            r = signed_in(t, rq, rp, &fresh, e);
    }
    if (url)
        rq->url = NULL; /* it ends here */
    if (r < 0)
        return r;
    return rp->status >= 200 && rp->status < 300 ? 0 : status_error(t, rp, e);
}
