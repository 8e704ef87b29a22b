/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who we are for a registry: Docker's config.json ($DOCKER_CONFIG, else ~/.docker), its credential helpers included
 * (docker-credential-NAME, from PATH).
 */
#ifndef TOOLS_REGISTRY_CREDS_H
#define TOOLS_REGISTRY_CREDS_H

#include <jansson.h>

#include "lib/err.h"

struct creds {
    char *user, *password; /* NULL: nobody in particular */
    char *identity;        /* a refresh token instead of a password; NULL: none */
    char *complaint;       /* of a helper that failed: "PROGRAM exited with status 1: WORDS"; NULL: none did */
};

/*
 * host: "docker.io", "example.org:5000". Nothing found is no error, nor is a helper that fails: an image may be for
 * everybody. One that is not there, or does not end, is.
 */
int creds_find(const char *host, struct creds *out, struct err *e);
/* From the last of the lines REGISTRY=USER:PASSWORD that is the host's. None is no error; a line that is wrong is. */
int creds_listed(const char *lines, const char *host, struct creds *out, struct err *e);
/* From "USER:PASSWORD". */
int creds_parse(const char *text, struct creds *out, struct err *e);
/* What `auths` of a config.json has for the host; helpers are not asked. */
int creds_in_auths(const json_t *config, const char *host, struct creds *out, struct err *e);
void creds_free(struct creds *c);
#define AUTO_CREDS AUTO(creds_free)

/* "Basic ...", malloc'd; NULL: no memory. */
char *creds_basic(const struct creds *c);

#endif
