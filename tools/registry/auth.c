/* SPDX-License-Identifier: Apache-2.0 */
/* How an endpoint is spoken to, and tokens for it. One thread at a time gets here: the others want the same token. */
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "tools/registry/helper.h"
#include "tools/registry/reference.h"
#include "tools/registry/registry_priv.h"

#define TOKEN_MAX ((size_t)1 << 20)

static bool in_list(const char *list, const char *word) {
    size_t len = strlen(word);

    for (const char *p = list; p && *(p += strspn(p, " ,")); p += strcspn(p, " ,"))
        if (strcspn(p, " ,") == len && !memcmp(p, word, len))
            return true;
    return false;
}

static bool may_be_plain(const struct registry *r, const char *host) {
    return reference_is_loopback(host) || in_list(r->options.plain_http, host);
}

/* HOST[:PORT], as libcurl understands the address: what looks like a host may be a user's name. malloc'd; NULL: none.
 */
static char *host_of(const char *address) {
    CURLU *u = curl_url();
    char *host = NULL, *port = NULL, *out = NULL;

    if (u && !curl_url_set(u, CURLUPART_URL, address, 0) && !curl_url_get(u, CURLUPART_HOST, &host, 0)) {
        (void)curl_url_get(u, CURLUPART_PORT, &port, 0);
        if (asprintf(&out, "%s%s%s", host, port ? ":" : "", port ? port : "") < 0)
            out = NULL;
    }
    curl_free(host);
    curl_free(port);
    curl_url_cleanup(u);
    return out;
}

/* The realm is the registry itself, or somebody else who may be spoken to without TLS. */
static bool realm_may_be_plain(const struct registry *r, const struct endpoint *ep, const char *realm) {
    AUTO_FREE char *host = host_of(realm);

    return host && (!strcmp(host, ep->host) || may_be_plain(r, host));
}

/* base: the endpoint's address. Passwords leave without TLS only where that is allowed, or was asked for. */
static int read_challenge(const struct registry *r, struct endpoint *ep, const char *base, const char *text,
                          struct err *e) {
    AUTO_CHALLENGE struct challenge c = {0};

    if (challenge_parse(text, &c) < 0)
        return err_errno(e, -ENOMEM, "could not sign in to %s", ep->host);
    if (c.way == SIGN_IN_UNKNOWN)
        return err_set(e, -EOPNOTSUPP, "%s asks for an unknown way to sign in: \"%.100s\"", ep->host, text);
    if (c.way == SIGN_IN_BEARER && (!c.realm || !*c.realm))
        return err_set(e, -EOPNOTSUPP, "%s does not say where to sign in: \"%.100s\"", ep->host, text);
    bool plain = c.way == SIGN_IN_BEARER && !strncasecmp(c.realm, "http://", 7);
    if (plain && !strncmp(base, "https://", 8))
        return err_set(e, -EOPNOTSUPP, "%s has TLS, and wants to be signed in to without it, at %.200s", ep->host,
                       c.realm);
    if (plain && !realm_may_be_plain(r, ep, c.realm))
        return err_set(
            e, -EOPNOTSUPP,
            "%s wants to be signed in to without TLS, at %.200s: that host has to be named with --plain-http", ep->host,
            c.realm);
    ep->sign_in = c.way;
    ep->realm = steal_ptr(&c.realm);
    ep->service = steal_ptr(&c.service);
    return 0;
}

static int ping(struct registry *r, struct endpoint *ep, CURL *curl, const char *scheme, struct err *e) {
    AUTO_REPLY struct http_reply rp = {0};
    AUTO_FREE char *base = NULL, *url = NULL;

    if (asprintf(&base, "%s%s", scheme, ep->url) < 0 || asprintf(&url, "%s/v2/", base) < 0)
        return err_errno(e, -ENOMEM, "could not ask %s", ep->host);
    struct http_request rq = {.method = "GET", .url = url, .ca_file = r->options.ca_file};
    int result = http_request(curl, &rq, &rp, e);
    if (result < 0)
        return err_wrap(e, result, "could not reach %s", ep->host);
    if (rp.status == 401)
        result = read_challenge(r, ep, base, rp.challenge, e);
    else if (http_status_passes(rp.status))
        return err_set(e, -EIO, "could not use %s: it answers with status %ld", ep->host, rp.status);
    else
        ep->sign_in = SIGN_IN_NONE;
    if (!result) {
        free(ep->url);
        ep->url = steal_ptr(&base);
    }
    return result;
}

static int open_locked(struct registry *r, struct endpoint *ep, CURL *curl, struct err *e) {
    if (ep->sign_in != SIGN_IN_UNKNOWN)
        return 0;
    if (strstr(ep->url, "://"))
        return ping(r, ep, curl, "", e);
    struct err why = {0};
    int result = ping(r, ep, curl, "https://", &why);
    if (may_be_plain(r, ep->host) && (result == -EPROTO || result == -ECONNREFUSED))
        return ping(r, ep, curl, "http://", e);
    if (result == -EPROTO)
        return err_set(e, result, "%s; a registry without TLS has to be named: --plain-http %s", why.msg, ep->host);
    return result < 0 ? err_set(e, result, "%s", why.msg) : 0;
}

int endpoint_open(struct registry *r, struct endpoint *ep, CURL *curl, struct err *e) {
    (void)pthread_mutex_lock(&r->lock);
    /* Of many images each would wait for it. */
    int result = ep->silent
                     ? err_set(e, -ETIMEDOUT, "could not reach %s: it was silent when it was asked before", ep->host)
                     : open_locked(r, ep, curl, e);
    ep->silent = result == -ETIMEDOUT;
    (void)pthread_mutex_unlock(&r->lock);
    return result;
}

int endpoint_challenged(struct registry *r, struct endpoint *ep, const char *text, struct err *e) {
    (void)pthread_mutex_lock(&r->lock);
    int result = ep->sign_in == SIGN_IN_NONE ? read_challenge(r, ep, ep->url, text, e) : 0;
    (void)pthread_mutex_unlock(&r->lock);
    return result;
}

static int find_creds(struct registry *r, struct endpoint *ep, struct err *e) {
    if (ep->creds_sought)
        return 0;
    int result = creds_listed(r->options.creds_for, ep->host, &ep->creds, e);
    if (!result && !ep->creds.user)
        result = r->options.creds && !ep->mirror ? creds_parse(r->options.creds, &ep->creds, e)
                                                 : creds_find(ep->host, &ep->creds, e);
    ep->creds_sought = !result;
    return result;
}

const char *endpoint_complaint(const struct endpoint *ep, char *out, size_t len) {
    const char *words = ep->creds.complaint;

    (void)snprintf(out, len, "%s%s", words ? "; " : "", words ? words : "");
    return out;
}

static int take_body(void *ctx, const void *data, size_t len, struct err *e) {
    return buf_append(ctx, data, len) < 0 ? err_set(e, -EFBIG, "the answer is larger than %zu bytes", TOKEN_MAX) : 0;
}

static void restart_body(struct http_request *rq) {
    buf_reset(rq->sink_ctx);
}

/* `service=...&scope=...`, with the refresh token if there is one; malloc'd. */
static char *token_form(struct endpoint *ep, CURL *curl, const char *scope) {
    char *service = curl_easy_escape(curl, ep->service ? ep->service : "", 0);
    char *scoped = curl_easy_escape(curl, scope, 0);
    char *identity = curl_easy_escape(curl, ep->creds.identity ? ep->creds.identity : "", 0);
    char *form = NULL;
    int n = -1;

    if (service && scoped && identity)
        n = ep->creds.identity ? asprintf(&form,
                                          "grant_type=refresh_token&client_id=keelson&service=%s&scope=%s&"
                                          "refresh_token=%s",
                                          service, scoped, identity)
                               : asprintf(&form, "service=%s&scope=%s", service, scoped);
    curl_free(service);
    curl_free(scoped);
    curl_free(identity);
    return n < 0 ? NULL : form;
}

static int send_for_token(struct registry *r, struct endpoint *ep, CURL *curl, const char *form, struct buf *body,
                          struct err *e) {
    AUTO_REPLY struct http_reply rp = {0};
    AUTO_FREE char *basic = ep->creds.user ? creds_basic(&ep->creds) : NULL, *url = NULL;
    bool post = ep->creds.identity;

    if ((ep->creds.user && !basic) || asprintf(&url, "%s%s%s", ep->realm,
                                               post                     ? ""
                                               : strchr(ep->realm, '?') ? "&"
                                                                        : "?",
                                               post ? "" : form) < 0) {
        return err_errno(e, -ENOMEM, "could not sign in to %s", ep->host);
    }
    struct http_request rq = {.prepare = restart_body,
                              .method = post ? "POST" : "GET",
                              .url = url,
                              .form = post ? form : NULL,
                              .authorization = basic,
                              .ca_file = r->options.ca_file,
                              .sink = take_body,
                              .sink_ctx = body};
    int result = http_request(curl, &rq, &rp, e);
    if (result < 0)
        return err_wrap(e, result, "could not sign in to %s", ep->host);
    char why[256], more[HELPER_WORDS_MAX + 128];
    http_reason(&rp, why, sizeof(why));
    return rp.status == 200 ? 0
                            : err_set(e, -EACCES, "could not sign in to %s: status %ld%s%s", ep->host, rp.status, why,
                                      endpoint_complaint(ep, more, sizeof(more)));
}

static int keep_token(struct endpoint *ep, const char *scope, const char *token, const char **header) {
    struct token *grown = reallocarray(ep->tokens, ep->tokens_len + 1, sizeof(*grown));

    if (!grown)
        return -ENOMEM;
    ep->tokens = grown;
    struct token *t = &grown[ep->tokens_len];
    *t = (struct token){.scope = strdup(scope)};
    if (!t->scope || asprintf(&t->header, "Bearer %s", token) < 0) {
        free(t->scope);
        return -ENOMEM;
    }
    ep->tokens_len++;
    *header = t->header;
    return 0;
}

static int fetch_token(struct registry *r, struct endpoint *ep, CURL *curl, const char *scope, const char **header,
                       struct err *e) {
    AUTO_BUF struct buf body = {.max = TOKEN_MAX};
    AUTO_FREE char *form = token_form(ep, curl, scope);

    if (!form)
        return err_errno(e, -ENOMEM, "could not sign in to %s", ep->host);
    int result = send_for_token(r, ep, curl, form, &body, e);
    if (result < 0)
        return result;
    AUTO_FREE char *token = NULL;
    result = token_parse(body.data ? body.data : "", body.len, &token);
    if (result == -EPROTO)
        return err_set(e, result, "could not sign in to %s: its answer has no token", ep->host);
    return result < 0 || keep_token(ep, scope, token, header) < 0
               ? err_errno(e, -ENOMEM, "could not sign in to %s", ep->host)
               : 0;
}

static int bearer(struct registry *r, struct endpoint *ep, CURL *curl, const char *repository, bool push,
                  const char **header, struct err *e) {
    AUTO_FREE char *scope = NULL;

    if (asprintf(&scope, "repository:%s:pull%s", repository, push ? ",push" : "") < 0) {
        scope = NULL;
        return err_errno(e, -ENOMEM, "could not sign in to %s", ep->host);
    }
    for (size_t i = 0; i < ep->tokens_len; i++)
        if (ep->tokens[i].header && !strcmp(ep->tokens[i].scope, scope)) {
            *header = ep->tokens[i].header;
            return 0;
        }
    return fetch_token(r, ep, curl, scope, header, e);
}

static int authorize_locked(struct registry *r, struct endpoint *ep, CURL *curl, const char *repository, bool push,
                            char **out, struct err *e) {
    const char *header = NULL;

    if (ep->sign_in != SIGN_IN_BASIC && ep->sign_in != SIGN_IN_BEARER)
        return 0;
    int result = find_creds(r, ep, e);
    if (result < 0)
        return result;
    if (ep->sign_in == SIGN_IN_BASIC) {
        *out = ep->creds.user ? creds_basic(&ep->creds) : NULL;
        return ep->creds.user && !*out ? err_errno(e, -ENOMEM, "could not sign in to %s", ep->host) : 0;
    }
    result = bearer(r, ep, curl, repository, push, &header, e);
    if (result < 0)
        return result;
    *out = strdup(header);
    return *out ? 0 : err_errno(e, -ENOMEM, "could not sign in to %s", ep->host);
}

int endpoint_authorize(struct registry *r, struct endpoint *ep, CURL *curl, const char *repository, bool push,
                       char **out, struct err *e) {
    *out = NULL;
    (void)pthread_mutex_lock(&r->lock);
    int result = authorize_locked(r, ep, curl, repository, push, out, e);
    (void)pthread_mutex_unlock(&r->lock);
    return result;
}

void endpoint_forget(struct registry *r, struct endpoint *ep, const char *header) {
    (void)pthread_mutex_lock(&r->lock);
    for (size_t i = 0; i < ep->tokens_len; i++)
        if (ep->tokens[i].header && !strcmp(ep->tokens[i].header, header))
            free(steal_ptr(&ep->tokens[i].header));
    (void)pthread_mutex_unlock(&r->lock);
}

void endpoint_free(struct endpoint *ep) {
    if (!ep)
        return;
    for (size_t i = 0; i < ep->tokens_len; i++) {
        free(ep->tokens[i].scope);
        free(ep->tokens[i].header);
    }
    free(ep->tokens);
    creds_free(&ep->creds);
    free(ep->realm);
    free(ep->service);
    free(ep->registry);
    free(ep->url);
    free(ep->host);
    free(ep);
}
