/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/registry/http.h"

#include <ctype.h>
#include <errno.h>
#include <jansson.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <time.h>

#include "lib/fdutil.h"
#include "lib/json.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "tools/registry/sign_in.h"

#define PAUSE_FIRST_MS 200u
#define BUFFER_BYTES (256L << 10)

struct exchange {
    CURL *curl;
    const struct http_request *rq;
    struct http_reply *rp;
    struct err sink_err;
    uint64_t sent;
    uint64_t moved, moved_ms; /* bytes to and fro, and since when they are that many */
    bool *said;               /* what is waited for */
    bool enough;              /* of an error's text: the rest is not waited for */
};

static bool has_body(long status) {
    return status == 200 || status == 206;
}

static size_t on_body(char *data, size_t size, size_t count, void *ctx) {
    struct exchange *x = ctx;
    size_t len = size * count;
    long status = 0;

    (void)curl_easy_getinfo(x->curl, CURLINFO_RESPONSE_CODE, &status);
    if (has_body(status)) {
        /* A server that ignores the range sends everything again: the bytes would be put in the wrong place. */
        if (x->rq->from && status == 200)
            return (void)err_set(&x->sink_err, -ERANGE, "the server does not resume"), 0;
        return !x->rq->sink || x->rq->sink(x->rq->sink_ctx, data, len, &x->sink_err) == 0 ? len : 0;
    }
    x->enough = x->rp->error.len + len > HTTP_ERROR_BODY_MAX;
    return x->enough || buf_append(&x->rp->error, data, len) < 0 ? 0 : len;
}

static void copy_value(char *out, size_t size, const char *line, size_t len) {
    while (len && isspace((unsigned char)*line)) {
        line++;
        len--;
    }
    while (len && isspace((unsigned char)line[len - 1]))
        len--;
    (void)snprintf(out, size, "%.*s", (int)(len < size ? len : 0), line);
}

static size_t on_header(char *line, size_t size, size_t count, void *ctx) {
    struct exchange *x = ctx;
    struct http_reply *rp = x->rp;
    size_t len = size * count;
    char challenge[sizeof(rp->challenge)] = "";
    const struct {
        const char *name;
        char *out;
        size_t size;
    } wanted[] = {
        {"location:", rp->location, sizeof(rp->location)},
        {"www-authenticate:", challenge, sizeof(challenge)},
        {"content-type:", rp->content_type, sizeof(rp->content_type)},
        {"docker-content-digest:", rp->digest, sizeof(rp->digest)},
    };

    if (len > 5 && !strncasecmp(line, "HTTP/", 5)) { /* the reply after a redirect: forget the one before */
        *rp->location = *rp->challenge = *rp->content_type = *rp->digest = '\0';
        buf_reset(&rp->error);
    }
    for (size_t i = 0; i < ARRAY_SIZE(wanted); i++) {
        size_t name_len = strlen(wanted[i].name);
        if (len > name_len && !strncasecmp(line, wanted[i].name, name_len))
            copy_value(wanted[i].out, wanted[i].size, line + name_len, len - name_len);
    }
    if (*challenge && (!*rp->challenge || challenge_way(challenge) > challenge_way(rp->challenge)))
        memcpy(rp->challenge, challenge, sizeof(challenge));
    return len;
}

/* Seconds or a date. What has passed, and what is neither, is no wish. */
static unsigned retry_after_ms(CURL *curl) {
    curl_off_t seconds = 0;

    (void)curl_easy_getinfo(curl, CURLINFO_RETRY_AFTER, &seconds);
    return seconds <= 0 ? 0 : seconds < HTTP_PAUSE_MAX_MS / 1000 ? (unsigned)seconds * 1000 : HTTP_PAUSE_MAX_MS;
}

static size_t on_upload(char *data, size_t size, size_t count, void *ctx) {
    struct exchange *x = ctx;
    uint64_t left = x->rq->body_len - x->sent;
    size_t len = size * count < left ? size * count : (size_t)left;

    if (x->rq->body) {
        memcpy(data, x->rq->body + x->sent, len);
    } else {
        ssize_t n = pread(x->rq->body_fd, data, len, (off_t)x->sent);
        if (n < 0 || (n == 0 && len))
            return CURL_READFUNC_ABORT;
        len = (size_t)n;
    }
    x->sent += len;
    if (x->rq->sent)
        x->rq->sent(x->rq->sent_ctx, x->sent);
    return len;
}

/* libcurl starts the body again when a connection that it meant to use again turns out to be closed. */
static int on_rewind(void *ctx, curl_off_t offset, int origin) {
    struct exchange *x = ctx;

    if (origin != SEEK_SET || offset < 0)
        return CURL_SEEKFUNC_FAIL;
    x->sent = (uint64_t)offset;
    return CURL_SEEKFUNC_OK;
}

/* libcurl calls it every second, bytes or none. */
static int on_time(void *ctx, curl_off_t down_total, curl_off_t down, curl_off_t up_total, curl_off_t up) {
    struct exchange *x = ctx;
    const char *url = x->rq->url;
    uint64_t now = clock_ms(), moved = (uint64_t)down + (uint64_t)up;

    (void)down_total;
    (void)up_total;
    if (!x->moved_ms || moved != x->moved) {
        x->moved = moved;
        x->moved_ms = now;
    } else if (!*x->said && now - x->moved_ms >= HTTP_WAIT_SAID_MS) {
        *x->said = true;
        log_notice("waiting for %.*s: nothing has come for %u s", (int)strcspn(url, "?"), url,
                   HTTP_WAIT_SAID_MS / 1000);
    }
    return 0;
}

static long stall_seconds(const struct http_request *rq) {
    return rq->stall_seconds ? rq->stall_seconds : rq->body_len ? HTTP_UPLOAD_STALL_SECONDS : HTTP_STALL_SECONDS;
}

static int add_header(struct curl_slist **list, const char *name, const char *value) {
    char line[16384];

    if (!value)
        return 0;
    int n = snprintf(line, sizeof(line), "%s: %s", name, value);
    if (n < 0 || (size_t)n >= sizeof(line))
        return -E2BIG;
    struct curl_slist *longer = curl_slist_append(*list, line);
    if (!longer)
        return -ENOMEM;
    *list = longer;
    return 0;
}

static int make_headers(const struct http_request *rq, struct curl_slist **list) {
    int r = add_header(list, "Accept", rq->accept);

    if (!r)
        r = add_header(list, "Authorization", rq->authorization);
    if (!r)
        r = add_header(list, "Content-Type", rq->content_type);
    return r ? r : add_header(list, "Expect", "");
}

static bool set_method(CURL *c, struct exchange *x) {
    const struct http_request *rq = x->rq;

    if (!strcmp(rq->method, "HEAD"))
        return curl_easy_setopt(c, CURLOPT_NOBODY, 1L) == CURLE_OK;
    if (!strcmp(rq->method, "POST"))
        return curl_easy_setopt(c, CURLOPT_POSTFIELDS, rq->form ? rq->form : "") == CURLE_OK;
    if (!strcmp(rq->method, "PUT"))
        return !curl_easy_setopt(c, CURLOPT_UPLOAD, 1L) && !curl_easy_setopt(c, CURLOPT_READFUNCTION, on_upload) &&
               !curl_easy_setopt(c, CURLOPT_READDATA, x) && !curl_easy_setopt(c, CURLOPT_SEEKFUNCTION, on_rewind) &&
               !curl_easy_setopt(c, CURLOPT_SEEKDATA, x) &&
               !curl_easy_setopt(c, CURLOPT_INFILESIZE_LARGE, (curl_off_t)rq->body_len);
    /* libcurl's own way to resume takes every answer without a range, be it 503, for the end. */
    char range[32];
    (void)snprintf(range, sizeof(range), "%llu-", (unsigned long long)rq->from);
    return !rq->from || !curl_easy_setopt(c, CURLOPT_RANGE, range);
}

static bool set_options(CURL *c, struct exchange *x, struct curl_slist *headers, char *why) {
    const struct http_request *rq = x->rq;
    const char *protocols = strncmp(rq->url, "http://", 7) ? "https" : "http,https";
    /* Sign-in goes by scheme, host and port: libcurl keeps our header back from every other one. */
    bool ok = !curl_easy_setopt(c, CURLOPT_URL, rq->url) && !curl_easy_setopt(c, CURLOPT_HTTPHEADER, headers) &&
              !curl_easy_setopt(c, CURLOPT_ERRORBUFFER, why) && !curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L) &&
              !curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, protocols) &&
              !curl_easy_setopt(c, CURLOPT_REDIR_PROTOCOLS_STR, protocols) &&
              /* A form has a secret in it, which libcurl would send on. */
              !curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, rq->form ? 0L : 1L) &&
              !curl_easy_setopt(c, CURLOPT_MAXREDIRS, HTTP_REDIRECTS_MAX) &&
              !curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT, HTTP_CONNECT_SECONDS) &&
              !curl_easy_setopt(c, CURLOPT_LOW_SPEED_LIMIT, 1L) &&
              !curl_easy_setopt(c, CURLOPT_LOW_SPEED_TIME, stall_seconds(rq)) &&
              !curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body) && !curl_easy_setopt(c, CURLOPT_WRITEDATA, x) &&
              !curl_easy_setopt(c, CURLOPT_NOPROGRESS, 0L) && !curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, on_time) &&
              !curl_easy_setopt(c, CURLOPT_XFERINFODATA, x) &&
              !curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, on_header) && !curl_easy_setopt(c, CURLOPT_HEADERDATA, x) &&
              !curl_easy_setopt(c, CURLOPT_USERAGENT, "keelson/" KEELSON_VERSION);

    (void)curl_easy_setopt(c, CURLOPT_BUFFERSIZE, BUFFER_BYTES); /* refused, without harm, after a host was not found */
    if (ok && rq->ca_file)
        ok = !curl_easy_setopt(c, CURLOPT_CAINFO, rq->ca_file);
    return ok && set_method(c, x);
}

static int error_code(CURLcode code) {
    switch (code) {
    case CURLE_COULDNT_CONNECT:
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
        return -ECONNREFUSED;
    case CURLE_OPERATION_TIMEDOUT:
        return -ETIMEDOUT;
    case CURLE_PARTIAL_FILE:
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
        return -EAGAIN;
    case CURLE_TOO_MANY_REDIRECTS:
        return -ELOOP;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
        return -EKEYREJECTED;
    case CURLE_OUT_OF_MEMORY:
        return -ENOMEM;
    default:
        return -EPROTO;
    }
}

static int silence_error(CURL *curl, const struct http_request *rq, struct err *e) {
    curl_off_t connected = 0, asked = 0;

    (void)curl_easy_getinfo(curl, CURLINFO_CONNECT_TIME_T, &connected);
    (void)curl_easy_getinfo(curl, CURLINFO_PRETRANSFER_TIME_T, &asked);
    if (asked)
        return err_set(e, -ETIMEDOUT, "it takes the request, and then nothing comes for %ld s", stall_seconds(rq));
    return err_set(e, -ETIMEDOUT, "%s %ld s",
                   connected ? "it takes the connection, and then nothing comes for" : "there is no connection within",
                   HTTP_CONNECT_SECONDS);
}

static int transfer_error(CURL *curl, const struct http_request *rq, CURLcode code, const char *why, struct err *e) {
    long proxy_status = 0;

    if (code == CURLE_OPERATION_TIMEDOUT)
        return silence_error(curl, rq, e);

    (void)curl_easy_getinfo(curl, CURLINFO_HTTP_CONNECTCODE, &proxy_status);
    if (proxy_status >= 300)
        return err_set(e, -ECONNREFUSED, "the proxy that the environment names does not let us through (status %ld)",
                       proxy_status);
    return err_set(e, error_code(code), "%s%s", code == CURLE_SSL_CONNECT_ERROR ? "it does not answer in TLS: " : "",
                   *why ? why : curl_easy_strerror(code));
}

/* A Location may be relative: it is so to the last address. */
static void resolve_location(CURL *curl, struct http_reply *rp) {
    CURLU *u = curl_url();
    const char *last = NULL;
    char *full = NULL;

    if (u && !curl_easy_getinfo(curl, CURLINFO_EFFECTIVE_URL, &last) && last &&
        !curl_url_set(u, CURLUPART_URL, last, 0) && !curl_url_set(u, CURLUPART_URL, rp->location, 0) &&
        !curl_url_get(u, CURLUPART_URL, &full, 0) && strlen(full) < sizeof(rp->location))
        (void)snprintf(rp->location, sizeof(rp->location), "%s", full);
    else
        *rp->location = '\0';
    curl_free(full);
    curl_url_cleanup(u);
}

/* One exchange. -EAGAIN: it broke in a way that may pass. */
static int send_once(CURL *curl, const struct http_request *rq, struct http_reply *rp, bool *said, struct err *e) {
    struct exchange x = {.curl = curl, .rq = rq, .rp = rp, .said = said};
    char why[CURL_ERROR_SIZE] = "";
    struct curl_slist *headers = NULL;

    http_reply_free(rp);
    rp->error.max = HTTP_ERROR_BODY_MAX + 1;
    curl_easy_reset(curl);
    int r = make_headers(rq, &headers);
    if (r < 0 || !set_options(curl, &x, headers, why)) {
        curl_slist_free_all(headers);
        return err_set(e, r < 0 ? r : -EPROTO, "could not ask %s: libcurl refuses the request", rq->url);
    }
    CURLcode code = curl_easy_perform(curl);
    if (x.enough)
        code = CURLE_OK;
    (void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &rp->status);
    rp->retry_after_ms = retry_after_ms(curl);
    if (!code && *rp->location)
        resolve_location(curl, rp);
    (void)curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, NULL);
    (void)curl_easy_setopt(curl, CURLOPT_HTTPHEADER, NULL);
    curl_slist_free_all(headers);
    if (x.sink_err.code)
        return err_set(e, x.sink_err.code, "%s", x.sink_err.msg);
    return code ? transfer_error(curl, rq, code, why, e) : 0;
}

void http_reply_free(struct http_reply *r) {
    buf_free(&r->error);
    *r = (struct http_reply){0};
}

bool http_status_passes(long status) {
    static const long passing[] = {408, 429, 500, 502, 503, 504};

    for (size_t i = 0; i < ARRAY_SIZE(passing); i++)
        if (status == passing[i])
            return true;
    return false;
}

/* Before try number tries + 1: growing and somewhat random, or as the server asked. */
static void pause_before(unsigned tries, unsigned retry_after_ms) {
    unsigned char random = 0;
    unsigned ms = retry_after_ms ? retry_after_ms : PAUSE_FIRST_MS << (tries < 8 ? tries - 1 : 7);

    if (getrandom(&random, sizeof(random), GRND_NONBLOCK) < 0)
        random = 128;
    if (!retry_after_ms)
        ms += ms * random / 512; /* many clients that were cut off together must not come back together */
    struct timespec left = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
    while (nanosleep(&left, &left) < 0 && errno == EINTR)
        ;
}

int http_request(CURL *curl, struct http_request *rq, struct http_reply *rp, struct err *e) {
    struct err why = {0};
    uint64_t reached = 0;
    unsigned tries = 0, silent = 0;
    bool said = false;

    for (;;) {
        if (rq->prepare)
            rq->prepare(rq);
        int r = send_once(curl, rq, rp, &said, &why);
        if (rq->from > reached) { /* a broken transfer that gets on is no failure yet */
            reached = rq->from;
            tries = silent = 0;
        }
        tries++;
        silent += r == -ETIMEDOUT;
        /* A server that is not there may be starting; more often it is the wrong address. */
        bool again = r == -EAGAIN || (r == -ETIMEDOUT && silent < (rq->body_len ? 1 : HTTP_SILENT_TRIES)) ||
                     (r == -ECONNREFUSED && tries == 1) || (!r && http_status_passes(rp->status));
        if (!again || tries >= HTTP_TRIES_MAX)
            return r < 0 ? err_set(e, r == -EAGAIN ? -EIO : r, "%s", why.msg) : 0;
        if (r < 0)
            log_debug("%s: %s; trying again", rq->url, why.msg);
        else
            log_debug("%s: status %ld; trying again", rq->url, rp->status);
        if (rp->retry_after_ms >= HTTP_WAIT_SAID_MS)
            log_notice("waiting %u s, as %s asks", rp->retry_after_ms / 1000, rq->url);
        pause_before(tries, rp->retry_after_ms);
    }
}

void http_reason(const struct http_reply *rp, char *out, size_t len) {
    AUTO_JSON json_t *doc = rp->error.len ? json_loadb(rp->error.data, rp->error.len, 0, NULL) : NULL;
    const json_t *first = json_array_get(json_object_get(doc, "errors"), 0);
    const char *message = json_string_value(json_object_get(first, "message"));

    (void)snprintf(out, len, "%s%.200s", message && *message ? ": " : "", message ? message : "");
    for (char *p = out; *p; p++)
        if (iscntrl((unsigned char)*p))
            *p = '?';
}
