/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Images between registries (OCI distribution API) and the cache. A session knows mirrors, credentials and tokens;
 * it may be used by one thread at a time, and uses REGISTRY_WORKERS threads of its own for layers. SIGPIPE is ignored
 * in the process from the first session on.
 *
 * Digests and sizes are checked while bytes arrive; nothing gets a name in the cache before it is whole. A transfer
 * that breaks goes on where it was, in this process or in a later one: what has arrived is kept in CACHE/.partial. Of
 * several processes that want the same layer one fetches it and the others wait.
 */
#ifndef TOOLS_REGISTRY_REGISTRY_H
#define TOOLS_REGISTRY_REGISTRY_H

#include <stdbool.h>

#include "tools/registry/reference.h"

#define REGISTRY_WORKERS 4
#define REGISTRY_MANIFEST_MAX ((size_t)4 << 20)
#define REGISTRY_MANIFESTS_MAX 256 /* in an index */
#define REGISTRY_LAYERS_MAX 512    /* of all the platforms that are asked for, together */

struct registry;

/* Lists are separated by spaces or commas; NULL: none. */
struct registry_options {
    const char *mirrors;    /* [REGISTRY=]URL: asked in this order before REGISTRY, or before those without one */
    const char *plain_http; /* hosts that may be spoken to without TLS; loopback always may */
    const char *ca_file;    /* certificates trusted besides the system's */
    const char *creds;      /* USER:PASSWORD for the one registry, not for mirrors; NULL: Docker's config.json */
    const char *creds_for;  /* lines of REGISTRY=USER:PASSWORD, which go before it; REGISTRY may be a URL */
};

/* KEELSON_MIRROR (or LINUXKIT_MIRROR), KEELSON_PLAIN_HTTP, KEELSON_CA and KEELSON_CREDS. */
void registry_options_from_env(struct registry_options *o);

int registry_new(const struct registry_options *o, struct registry **out, struct err *e);
void registry_free(struct registry *r);
DEFINE_AUTO(struct registry *, registry_free)
#define AUTO_REGISTRY AUTO(registry_free_auto)

/*
 * Fetches what the cache does not have yet of the image, for linux/ARCH (NULL: for all platforms), with its
 * attestations, and gives it its name. -ENOENT: no endpoint has it; -ENODATA: not for that platform.
 */
int registry_pull(struct registry *r, const char *cache_dir, const struct reference *ref, const char *arch,
                  struct err *e);

/* Sends the cache's image `ref` as `to`; arch: only that platform's manifest. What is there already is not sent. */
int registry_push(struct registry *r, const char *cache_dir, const char *ref, const struct reference *to,
                  const char *arch, struct err *e);

/* Gives what `from` is in its registry another name there, or sends it to another one. It passes through the cache. */
int registry_tag(struct registry *r, const char *cache_dir, const struct reference *from, const struct reference *to,
                 struct err *e);

/*
 * Makes an index of the images NAME-ARCH that the registry has for the architectures, and gives it the name `to`, in
 * the registry and in the cache. -ENOENT: it has none of them.
 */
int registry_merge(struct registry *r, const char *cache_dir, const struct reference *to, const char *const *arches,
                   size_t len, struct err *e);

/* *exists: whether the registry, or a mirror of it, has it; digest: and it is this one (NULL: any). */
int registry_has(struct registry *r, const struct reference *ref, const char *digest, bool *exists, struct err *e);

#endif
