/* SPDX-License-Identifier: Apache-2.0 */
/* The session: options and endpoints. */
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "tools/registry/registry_priv.h"

#define HUB_NAME "docker.io"
#define HUB_OLD_NAME "index.docker.io" /* as Docker still calls it in its configuration */
#define HUB_HOST "registry-1.docker.io"
#define LIST_SEPARATORS " ,\t\n"

static const char *env_either(const char *ours, const char *theirs) {
    const char *value = getenv(ours);

    return value && *value ? value : getenv(theirs);
}

void registry_options_from_env(struct registry_options *o) {
    o->mirrors = env_either("KEELSON_MIRROR", "LINUXKIT_MIRROR");
    o->plain_http = getenv("KEELSON_PLAIN_HTTP");
    o->ca_file = getenv("KEELSON_CA");
    o->creds = getenv("KEELSON_CREDS");
}

/* Host and port of a URL with or without scheme, malloc'd. */
static char *url_host(const char *url) {
    const char *start = strstr(url, "://");

    start = start ? start + 3 : url;
    return strndup(start, strcspn(start, "/"));
}

static int add_endpoint(struct registry *r, const char *registry, const char *url, bool mirror, struct endpoint **out,
                        struct err *e) {
    struct endpoint *ep = calloc(1, sizeof(*ep)), **last = &r->endpoints;
    size_t len = strlen(url);

    while (len && url[len - 1] == '/')
        len--;
    if (ep) {
        ep->registry = registry ? strdup(registry) : NULL;
        ep->url = strndup(url, len);
        ep->host = !mirror && registry ? strdup(registry) : url_host(url);
        ep->mirror = mirror;
    }
    if (!ep || (registry && !ep->registry) || !ep->url || !ep->host) {
        endpoint_free(ep);
        return err_errno(e, -ENOMEM, "could not use the registry %s", url);
    }
    while (*last)
        last = &(*last)->next;
    *last = ep;
    if (out)
        *out = ep;
    return 0;
}

static int add_mirror(struct registry *r, const char *word, size_t len, struct err *e) {
    AUTO_FREE char *text = strndup(word, len);
    char *equals = text ? strchr(text, '=') : NULL;
    const char *url = equals ? equals + 1 : text;

    if (!text)
        return err_errno(e, -ENOMEM, "could not use the mirrors");
    if (strncmp(url, "http://", 7) != 0 && strncmp(url, "https://", 8) != 0)
        return err_set(e, -EINVAL, "could not use the mirror \"%s\": it must be [REGISTRY=]http(s)://HOST", text);
    if (equals)
        *equals = '\0';
    const char *name = !equals || equals == text ? NULL : !strcmp(text, HUB_OLD_NAME) ? HUB_NAME : text;
    return add_endpoint(r, name, url, true, NULL, e);
}

static int add_mirrors(struct registry *r, struct err *e) {
    const char *p = r->options.mirrors;
    int result = 0;

    while (p && *(p += strspn(p, LIST_SEPARATORS)) && !result) {
        size_t len = strcspn(p, LIST_SEPARATORS);
        result = add_mirror(r, p, len, e);
        p += len;
    }
    return result;
}

static int copy_options(struct registry *r, const struct registry_options *o) {
    const char **texts[] = {&r->options.mirrors, &r->options.plain_http, &r->options.ca_file, &r->options.creds,
                            &r->options.creds_for};

    r->options = *o;
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        if (!*texts[i] || !**texts[i]) {
            *texts[i] = NULL;
            continue;
        }
        r->strings[i] = strdup(*texts[i]);
        if (!r->strings[i])
            return -ENOMEM;
        *texts[i] = r->strings[i];
    }
    return 0;
}

int registry_new(const struct registry_options *o, struct registry **out, struct err *e) {
    AUTO_REGISTRY struct registry *r = calloc(1, sizeof(*r));

    if (!r || pthread_mutex_init(&r->lock, NULL) != 0) {
        free(steal_ptr(&r));
        return err_errno(e, -ENOMEM, "could not use registries");
    }
    (void)signal(SIGPIPE, SIG_IGN); /* OpenSSL writes to connections that the other side has closed */
    r->curl = curl_easy_init();
    if (!r->curl || copy_options(r, o) < 0)
        return err_errno(e, -ENOMEM, "could not use registries");
    int result = add_mirrors(r, e);
    if (result < 0)
        return result;
    *out = steal_ptr(&r);
    return 0;
}

void registry_free(struct registry *r) {
    if (!r)
        return;
    for (struct endpoint *ep = r->endpoints, *next; ep; ep = next) {
        next = ep->next;
        endpoint_free(ep);
    }
    for (size_t i = 0; i < ARRAY_SIZE(r->strings); i++)
        free(r->strings[i]);
    for (size_t i = 0; i < r->asked_len; i++)
        free(r->asked[i]);
    free(r->asked);
    curl_easy_cleanup(r->curl);
    (void)pthread_mutex_destroy(&r->lock);
    free(r);
}

static bool is_mirror_of(const struct endpoint *ep, const char *name) {
    return ep->mirror && (name ? ep->registry && !strcmp(ep->registry, name) : !ep->registry);
}

static size_t collect_mirrors(const struct registry *r, const char *name, struct endpoint **list) {
    size_t len = 0;

    for (struct endpoint *ep = r->endpoints; ep && len < ENDPOINTS_MAX - 1; ep = ep->next)
        if (is_mirror_of(ep, name))
            list[len++] = ep;
    return len;
}

/* A password that is not said to be whose is never shown to a second registry. */
static int check_creds(const struct registry *r, const char *name, struct err *e) {
    for (const struct endpoint *ep = r->options.creds ? r->endpoints : NULL; ep; ep = ep->next)
        if (!ep->mirror && strcmp(ep->registry, name) != 0)
            return err_set(e, -EINVAL,
                           "--creds (KEELSON_CREDS) is for one registry, and there are %s and %s: say whose it is with "
                           "--registry-creds REGISTRY=USER:PASSWORD",
                           ep->registry, name);
    return 0;
}

int registry_endpoints(struct registry *r, const char *name, struct endpoint **list, size_t *len, struct err *e) {
    struct endpoint *own = r->endpoints;
    int result = check_creds(r, name, e);

    if (result < 0)
        return result;

    *len = collect_mirrors(r, name, list);
    if (!*len)
        *len = collect_mirrors(r, NULL, list);
    while (own && (own->mirror || strcmp(own->registry, name) != 0))
        own = own->next;
    if (!own) {
        result = add_endpoint(r, name, strcmp(name, HUB_NAME) ? name : HUB_HOST, false, &own, e);
        if (result < 0)
            return result;
    }
    list[(*len)++] = own;
    return 0;
}

bool registry_has_asked(const struct registry *r, const char *name) {
    for (size_t i = 0; i < r->asked_len; i++)
        if (!strcmp(r->asked[i], name))
            return true;
    return false;
}

int registry_note_asked(struct registry *r, const char *name, struct err *e) {
    char **grown = reallocarray(r->asked, r->asked_len + 1, sizeof(*grown));

    if (!grown)
        return err_errno(e, -ENOMEM, "could not remember %s", name);
    r->asked = grown;
    grown[r->asked_len] = strdup(name);
    if (!grown[r->asked_len])
        return err_errno(e, -ENOMEM, "could not remember %s", name);
    r->asked_len++;
    return 0;
}
