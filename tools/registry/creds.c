/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/registry/creds.h"

#include <errno.h>
#include <openssl/evp.h>
#include <string.h>
#include <sys/wait.h>

#include "lib/fdutil.h"
#include "lib/json.h"
#include "lib/spawn.h"
#include "tools/registry/helper.h"

#define CONFIG_MAX ((size_t)4 << 20)
#define HUB_KEY "https://index.docker.io/v1/"

/* Docker's names for a registry: with or without scheme and path. */
static bool same_host(const char *key, const char *host) {
    const char *start = strstr(key, "://");
    size_t len = strcspn(start = start ? start + 3 : key, "/");

    if (strlen(host) == len && !memcmp(start, host, len))
        return true;
    return !strcmp(host, "docker.io") && len == strlen("index.docker.io") && !memcmp(start, "index.docker.io", len);
}

static const json_t *find_host(const json_t *object, const char *host, const char **key) {
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)object, name, value) {
        if (same_host(name, host)) {
            *key = name;
            return value;
        }
    }
    return NULL;
}

int creds_parse(const char *text, struct creds *out, struct err *e) {
    const char *colon = strchr(text, ':');

    if (!colon || colon == text)
        return err_set(e, -EINVAL, "could not read the credentials: they must be USER:PASSWORD");
    out->user = strndup(text, (size_t)(colon - text));
    out->password = strdup(colon + 1);
    return out->user && out->password ? 0 : err_errno(e, -ENOMEM, "could not read the credentials");
}

int creds_listed(const char *lines, const char *host, struct creds *out, struct err *e) {
    int r = 0;

    for (const char *p = lines; p && *p && !r; p += strcspn(p, "\n"), p += *p == '\n') {
        const char *end = p + strcspn(p, "\n"), *equals = memchr(p, '=', (size_t)(end - p));
        if (!equals || equals == p)
            return err_set(e, -EINVAL, "could not read --registry-creds: it must be REGISTRY=USER:PASSWORD");
        AUTO_FREE char *registry = strndup(p, (size_t)(equals - p));
        AUTO_FREE char *words = strndup(equals + 1, (size_t)(end - equals - 1));
        struct creds found = {0};
        r = registry && words ? creds_parse(words, &found, e) : err_errno(e, -ENOMEM, "could not read the credentials");
        if (r || !same_host(registry, host)) {
            creds_free(&found);
            continue;
        }
        creds_free(out);
        *out = found;
    }
    return r;
}

static int decode_auth(const char *auth, struct creds *out, struct err *e) {
    size_t len = strlen(auth);
    AUTO_FREE char *text = calloc(1, len + 4);
    size_t padding = len && auth[len - 1] == '=' ? 1u + (len > 1 && auth[len - 2] == '=') : 0;

    if (!text)
        return err_errno(e, -ENOMEM, "could not read the credentials");
    int n = len < INT32_MAX ? EVP_DecodeBlock((unsigned char *)text, (const unsigned char *)auth, (int)len) : -1;
    if (n < (int)padding)
        return err_set(e, -EINVAL, "`auth` is not base64");
    text[(size_t)n - padding] = '\0';
    return creds_parse(text, out, e);
}

static int take(const json_t *object, const char *key, char **out) {
    const char *text = json_string_value(json_object_get(object, key));

    free(*out);
    *out = text && *text ? strdup(text) : NULL;
    return text && *text && !*out ? -ENOMEM : 0;
}

static int read_entry(const json_t *entry, struct creds *out, struct err *e) {
    const char *auth = json_string_value(json_object_get(entry, "auth"));

    if (take(entry, "identitytoken", &out->identity) < 0 || take(entry, "username", &out->user) < 0 ||
        take(entry, "password", &out->password) < 0)
        return err_errno(e, -ENOMEM, "could not read the credentials");
    return auth && *auth ? decode_auth(auth, out, e) : 0;
}

int creds_in_auths(const json_t *config, const char *host, struct creds *out, struct err *e) {
    const char *key = NULL;
    const json_t *entry = find_host(json_object_get(config, "auths"), host, &key);

    return entry ? read_entry(entry, out, e) : 0;
}

/* "credentials not found" is what a helper says when it has nothing. */
static int note_failure(const char *program, int status, const char *words, struct creds *out, struct err *e) {
    char reason[64];

    if (strstr(words, "credentials not found"))
        return 0;
    if (asprintf(&out->complaint, "%s %s%s%s", program, exit_reason(status, reason, sizeof(reason)), *words ? ": " : "",
                 words) < 0) {
        out->complaint = NULL;
        return err_errno(e, -ENOMEM, "could not read the answer of %s", program);
    }
    return 0;
}

static int read_answer(const struct buf *text, const char *program, struct creds *out, struct err *e) {
    AUTO_JSON json_t *doc = json_loadb(text->data ? text->data : "", text->len, 0, NULL);

    if (!doc)
        return err_set(e, -EINVAL, "%s did not answer in JSON", program);
    if (take(doc, "Username", &out->user) < 0 || take(doc, "Secret", &out->password) < 0)
        return err_errno(e, -ENOMEM, "could not read the answer of %s", program);
    if (out->user && !strcmp(out->user, "<token>")) {
        out->identity = steal_ptr(&out->password);
        free(steal_ptr(&out->user));
    }
    return 0;
}

static int ask_helper(const char *name, const char *key, struct creds *out, struct err *e) {
    AUTO_BUF struct buf answer = {.max = HELPER_ANSWER_MAX};
    AUTO_FREE char *program = NULL;
    char words[HELPER_WORDS_MAX];
    int status = 0;

    if (strchr(name, '/'))
        return err_set(e, -EINVAL, "\"%s\" is not the name of a credential helper", name);
    if (asprintf(&program, "docker-credential-%s", name) < 0) {
        program = NULL;
        return err_errno(e, -ENOMEM, "could not ask %s", name);
    }
    int r = helper_ask(program, key, HELPER_MS, &answer, words, &status, e);
    if (r < 0)
        return r;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? read_answer(&answer, program, out, e)
                                                         : note_failure(program, status, words, out, e);
}

static char *config_path(void) {
    const char *dir = getenv("DOCKER_CONFIG"), *home = getenv("HOME");
    char *path = NULL;

    if (dir && *dir)
        return path_join(dir, "config.json");
    return home && *home && asprintf(&path, "%s/.docker/config.json", home) >= 0 ? path : NULL;
}

static int find_in(const json_t *doc, const char *host, struct creds *out, struct err *e) {
    const char *key = strcmp(host, "docker.io") ? host : HUB_KEY;
    const json_t *helper = find_host(json_object_get(doc, "credHelpers"), host, &key);
    const char *store = json_string_value(helper ? helper : json_object_get(doc, "credsStore"));
    int r = store && *store ? ask_helper(store, key, out, e) : 0;

    if (r < 0 || out->user || out->identity)
        return r;
    return creds_in_auths(doc, host, out, e);
}

int creds_find(const char *host, struct creds *out, struct err *e) {
    AUTO_FREE char *path = config_path();
    AUTO_JSON json_t *doc = NULL;

    *out = (struct creds){0};
    if (!path)
        return 0;
    int r = json_load_path(path, CONFIG_MAX, &doc, e);
    if (r == -ENOENT || r == -ENOTDIR)
        return 0;
    if (r < 0)
        return r;
    r = find_in(doc, host, out, e);
    return r < 0 ? err_wrap(e, r, "could not find credentials for %s (%s)", host, path) : 0;
}

void creds_free(struct creds *c) {
    free(c->user);
    free(c->password);
    free(c->identity);
    free(c->complaint);
    *c = (struct creds){0};
}

char *creds_basic(const struct creds *c) {
    AUTO_FREE char *plain = NULL;

    if (asprintf(&plain, "%s:%s", c->user, c->password ? c->password : "") < 0) {
        plain = NULL;
        return NULL;
    }
    size_t len = strlen(plain);
    char *out = malloc(strlen("Basic ") + 4 * ((len + 2) / 3) + 1);
    if (!out)
        return NULL;
    memcpy(out, "Basic ", 6);
    (void)EVP_EncodeBlock((unsigned char *)out + 6, (const unsigned char *)plain, (int)len);
    return out;
}
