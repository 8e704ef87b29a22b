/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/registry/sign_in.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "lib/buf.h"
#include "lib/json.h"

#define SPACE " \t"

enum sign_in challenge_way(const char *text) {
    static const struct {
        const char *scheme;
        enum sign_in way;
    } ways[] = {{"Basic", SIGN_IN_BASIC}, {"Bearer", SIGN_IN_BEARER}};
    size_t len = strcspn(text, SPACE ",");

    for (size_t i = 0; i < ARRAY_SIZE(ways); i++)
        if (strlen(ways[i].scheme) == len && !strncasecmp(text, ways[i].scheme, len))
            return ways[i].way;
    return SIGN_IN_UNKNOWN;
}

/* A token or a quoted string, in which a backslash takes the meaning of the next character away. */
static int read_value(const char **pos, struct buf *out) {
    const char *p = *pos;
    bool quoted = *p == '"';
    int r = buf_puts(out, "");

    p += quoted;
    while (!r && *p && (quoted ? *p != '"' : !strchr(SPACE ",", *p))) {
        p += quoted && *p == '\\' && p[1];
        r = buf_append(out, p++, 1);
    }
    *pos = p + (quoted && *p == '"');
    return r;
}

/* NAME=VALUE; what is not of that form is passed over. */
static int read_parameter(const char **pos, struct challenge *out) {
    size_t len = strcspn(*pos, "=," SPACE);
    const char *name = *pos;
    AUTO_BUF struct buf value = BUF_INIT;

    *pos += len;
    *pos += strspn(*pos, SPACE);
    if (**pos != '=')
        return 0;
    ++*pos;
    *pos += strspn(*pos, SPACE);
    int r = read_value(pos, &value);
    char **to = len == 5 && !strncasecmp(name, "realm", len)     ? &out->realm
                : len == 7 && !strncasecmp(name, "service", len) ? &out->service
                                                                 : NULL;
    if (!r && to && !*to) {
        *to = steal_ptr(&value.data);
        value.len = value.cap = 0;
    }
    return r;
}

int challenge_parse(const char *text, struct challenge *out) {
    int r = 0;

    *out = (struct challenge){.way = challenge_way(text)};
    if (out->way != SIGN_IN_BEARER)
        return 0;
    for (const char *p = text + strcspn(text, SPACE ","); !r && *(p += strspn(p, SPACE ","));)
        r = read_parameter(&p, out);
    return r < 0 ? -ENOMEM : 0;
}

void challenge_free(struct challenge *c) {
    free(c->realm);
    free(c->service);
    *c = (struct challenge){0};
}

int token_parse(const char *text, size_t len, char **out) {
    AUTO_JSON json_t *doc = json_loadb(text, len, 0, NULL);
    const char *token = json_string_value(json_object_get(doc, "token"));

    if (!token)
        token = json_string_value(json_object_get(doc, "access_token"));
    if (!token || !*token)
        return -EPROTO;
    for (const char *p = token; *p; p++)
        if (!isgraph((unsigned char)*p))
            return -EPROTO;
    *out = strdup(token);
    return *out ? 0 : -ENOMEM;
}
