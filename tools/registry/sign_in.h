/* SPDX-License-Identifier: Apache-2.0 */
/* What servers say about signing in: challenges (RFC 9110, 11.6.1) and the answers of token servers. Pure. */
#ifndef TOOLS_REGISTRY_SIGN_IN_H
#define TOOLS_REGISTRY_SIGN_IN_H

#include <stddef.h>

#include "lib/auto.h"

/* Of several ways that a server offers, the later in this list is taken. */
enum sign_in { SIGN_IN_UNKNOWN, SIGN_IN_NONE, SIGN_IN_BASIC, SIGN_IN_BEARER };

struct challenge {
    enum sign_in way;      /* SIGN_IN_UNKNOWN: one that we do not know */
    char *realm, *service; /* NULL: not said; of Bearer only */
};

/* Reads the value of a WWW-Authenticate header with one challenge. -ENOMEM. Free it in any case. */
int challenge_parse(const char *text, struct challenge *out);
void challenge_free(struct challenge *c);
#define AUTO_CHALLENGE AUTO(challenge_free)

/* The way alone. */
enum sign_in challenge_way(const char *text);

/* The token in a token server's answer, malloc'd; it can stand in a header. -EPROTO: there is none; -ENOMEM. */
int token_parse(const char *text, size_t len, char **out);

#endif
