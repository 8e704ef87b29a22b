/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "lib/fdutil.h"
#include "tools/image/image.h"

#define REF_MAX 512
#define HUB "docker.io"

static bool is_word(const char *text, size_t len, const char *word) {
    return strlen(word) == len && !memcmp(text, word, len);
}

/* How long the registry at its beginning is, 0: there is none. Docker's rule: it has a dot or a colon or is
 * "localhost". */
static size_t registry_len(const char *ref) {
    const char *slash = strchr(ref, '/');
    size_t len = slash ? (size_t)(slash - ref) : 0;

    return memchr(ref, '.', len) || memchr(ref, ':', len) || is_word(ref, len, "localhost") ? len : 0;
}

/* Length of "[ADDRESS]" or "[ADDRESS]:PORT" before the first slash, 0: it is no such thing. */
static size_t ip6_len(const char *ref) {
    const char *end = strchr(ref, ']'), *slash = strchr(ref, '/');
    char text[INET6_ADDRSTRLEN];
    struct in6_addr address;

    if (*ref != '[' || !end || !slash || end > slash || end - ref > INET6_ADDRSTRLEN)
        return 0;
    (void)snprintf(text, sizeof(text), "%.*s", (int)(end - ref - 1), ref + 1);
    size_t port = (size_t)(slash - end) - 1;
    return (!port || end[1] == ':') && inet_pton(AF_INET6, text, &address) == 1 ? (size_t)(slash - ref) : 0;
}

static bool valid_char(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || strchr("._-/:@", c);
}

/* HOST:PORT, HOST or [ADDRESS]:PORT, len bytes. */
static int check_port(const char *ref, size_t len, struct err *e) {
    const char *start = *ref == '[' ? memchr(ref, ']', len) : ref;
    const char *colon = start ? memchr(start, ':', len - (size_t)(start - ref)) : NULL;
    char text[8];
    uint64_t port = 0;

    if (!colon)
        return 0;
    int n = (int)(len - (size_t)(colon + 1 - ref));
    (void)snprintf(text, sizeof(text), "%.*s", n, colon + 1);
    return parse_u64(text, UINT16_MAX, &port) < 0 || !port || n >= (int)sizeof(text)
               ? err_set(e, -EINVAL, "image reference \"%s\": \"%.*s\" is not a port", ref, n, colon + 1)
               : 0;
}

/* Only registry and tag may have capitals. */
static bool has_capitals(const char *ref) {
    const char *p = ref + registry_len(ref);

    while (*p && *p != ':' && *p != '@' && !(*p >= 'A' && *p <= 'Z'))
        p++;
    return *p >= 'A' && *p <= 'Z';
}

static int check_ref(const char *ref, struct err *e) {
    size_t len = strlen(ref);
    const char *digest = strchr(ref, '@');

    if (len == 0 || len > REF_MAX)
        return err_set(e, -EINVAL, "image reference of %zu bytes: it must have 1 to %d", len, REF_MAX);
    if (*ref == '[' && !ip6_len(ref))
        return err_set(e, -EINVAL, "image reference \"%s\": want an IPv6 address in brackets, :PORT maybe, and a name",
                       ref);
    for (const char *p = ref + ip6_len(ref); *p; p++)
        if (!valid_char(*p))
            return err_set(e, -EINVAL, "image reference \"%s\": character %zu is not allowed", ref,
                           (size_t)(p - ref) + 1);
    if (*ref == '/' || *ref == ':' || *ref == '@' || ref[len - 1] == '/' || ref[len - 1] == ':' || strstr(ref, "//"))
        return err_set(e, -EINVAL, "image reference \"%s\": a part of it is empty", ref);
    if (has_capitals(ref))
        return err_set(e, -EINVAL, "image reference \"%s\": names of images have no capital letters", ref);
    if (digest && strpbrk(digest + 1, "/@"))
        return err_set(e, -EINVAL, "image reference \"%s\": nothing comes after a digest", ref);
    for (const char *p = ref; *p; p += strcspn(p, "/"), p += *p == '/')
        if (*p == '.' || *p == '-' || *p == ':' || *p == '@')
            return err_set(e, -EINVAL, "image reference \"%s\": no part of it may begin with \"%c\"", ref, *p);
    return check_port(ref, registry_len(ref), e);
}

int image_ref_normalize(const char *ref, char **out, struct err *e) {
    int r = check_ref(ref, e);
    if (r < 0)
        return r;
    size_t host = registry_len(ref);
    const char *name = ref + host + (host > 0), *last = strrchr(name, '/');
    bool hub = !host || is_word(ref, host, HUB) || is_word(ref, host, "index." HUB);
    bool tagged = strchr(name, '@') || strchr(last ? last : name, ':');
    if (asprintf(out, "%.*s/%s%s%s", hub ? (int)strlen(HUB) : (int)host, hub ? HUB : ref,
                 hub && !last ? "library/" : "", name, tagged ? "" : ":latest") < 0) {
        *out = NULL;
        return err_errno(e, -ENOMEM, "could not normalize %s", ref);
    }
    if (strlen(*out) > REF_MAX) { /* a full name is one, too */
        free(*out);
        *out = NULL;
        return err_set(e, -EINVAL, "image reference \"%.100s...\": its full form has more than %d bytes", ref, REF_MAX);
    }
    return 0;
}

int image_cache_dir(const char *option, char **out, struct err *e) {
    const char *dir = option;
    const char *home = getenv("HOME");
    int n;

    if (!dir || !*dir)
        dir = getenv("KEELSON_CACHE");
    if (!dir || !*dir)
        dir = getenv("LINUXKIT_CACHE");
    if (dir && *dir)
        n = asprintf(out, "%s", dir);
    else if (home && *home)
        n = asprintf(out, "%s/.cache/keelson", home);
    else
        return err_set(e, -EINVAL, "could not find the image cache: HOME is not set; name a folder with --cache");
    if (n < 0) {
        *out = NULL;
        return err_errno(e, -ENOMEM, "could not name the image cache");
    }
    return 0;
}

const char *image_host_arch(void) {
#ifdef __aarch64__
    return "arm64";
#else
    return "amd64";
#endif
}
