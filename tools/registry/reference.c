/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/registry/reference.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "tools/image/blob.h"
#include "tools/image/image.h"

#define TAG_CHARS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-"

static int check(const struct reference *r, struct err *e) {
    if (!*r->repository)
        return err_set(e, -EINVAL, "image reference \"%s\" has no name", r->name);
    if (r->tag && (!*r->tag || strlen(r->tag) > 128 || strchr("-.", *r->tag) || r->tag[strspn(r->tag, TAG_CHARS)]))
        return err_set(e, -EINVAL, "image reference \"%s\": \"%s\" is not a tag", r->name, r->tag);
    if (r->digest && !digest_valid(r->digest))
        return err_set(e, -EINVAL, "image reference \"%s\": \"%s\" is not a sha256 digest", r->name, r->digest);
    return 0;
}

int reference_parse(const char *ref, struct reference *out, struct err *e) {
    *out = (struct reference){0};
    int r = image_ref_normalize(ref, &out->name, e);
    if (r < 0)
        return r;
    const char *slash = strchr(out->name, '/');
    const char *rest = slash + 1;
    const char *at = strchr(rest, '@');
    size_t named = at ? (size_t)(at - rest) : strlen(rest);
    const char *colon = memchr(rest, ':', named);
    out->registry = strndup(out->name, (size_t)(slash - out->name));
    out->repository = strndup(rest, colon ? (size_t)(colon - rest) : named);
    out->tag = colon ? strndup(colon + 1, (size_t)(rest + named - colon - 1)) : NULL;
    out->digest = at ? strdup(at + 1) : NULL;
    if (!out->registry || !out->repository || (colon && !out->tag) || (at && !out->digest))
        return err_errno(e, -ENOMEM, "could not read the reference %s", ref);
    return check(out, e);
}

void reference_free(struct reference *r) {
    free(r->name);
    free(r->registry);
    free(r->repository);
    free(r->tag);
    free(r->digest);
    *r = (struct reference){0};
}

const char *reference_version(const struct reference *r) {
    return r->digest ? r->digest : r->tag;
}

bool reference_is_loopback(const char *host) {
    size_t len = *host == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":");
    char text[INET6_ADDRSTRLEN];
    struct in_addr address;

    if (len >= sizeof(text))
        return false;
    memcpy(text, host, len);
    text[len] = '\0';
    return !strcmp(text, "localhost") || !strcmp(text, "[::1]") ||
           (inet_pton(AF_INET, text, &address) == 1 && ntohl(address.s_addr) >> IN_CLASSA_NSHIFT == IN_LOOPBACKNET);
}
