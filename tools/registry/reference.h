/* SPDX-License-Identifier: Apache-2.0 */
/* A reference taken apart: REGISTRY/REPOSITORY[:TAG][@DIGEST]. */
#ifndef TOOLS_REGISTRY_REFERENCE_H
#define TOOLS_REGISTRY_REFERENCE_H

#include <stdbool.h>

#include "lib/err.h"

struct reference {
    char *name;       /* the whole of it, normalized */
    char *registry;   /* "docker.io", "localhost:5000" */
    char *repository; /* "library/alpine" */
    char *tag;        /* NULL: none */
    char *digest;     /* "sha256:..."; NULL: none */
};

/* Any form that people write; -EINVAL says what is wrong with it. Free also after an error. */
int reference_parse(const char *ref, struct reference *out, struct err *e);
void reference_free(struct reference *r);
#define AUTO_REFERENCE AUTO(reference_free)

/* What stands behind /manifests/: the digest if there is one, else the tag. */
const char *reference_version(const struct reference *r);

/* HOST[:PORT] is this machine by its address, or by the name localhost: not whoever has a name like that. */
bool reference_is_loopback(const char *host);

#endif
