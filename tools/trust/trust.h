/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which images must be signed, and whether they are: cosign's signatures with a key pair (no certificates), which lie
 * in the image's repository as the tag sha256-HEX.sig, or in the cache under that name.
 *
 * The policy is a JSON file: {"images": [{"match": GLOB, "key": FILE}, ...]}. The first entry whose glob (fnmatch(3),
 * `*` matches slashes too) fits the image's full name decides; a key of null asks for nothing, as does a policy in
 * which none fits. A relative file is relative to the policy's folder, and holds a public key in PEM (ECDSA, RSA,
 * Ed25519).
 */
#ifndef TOOLS_TRUST_TRUST_H
#define TOOLS_TRUST_TRUST_H

#include <jansson.h>
#include <stdbool.h>

#include "tools/registry/registry.h"

#define POLICY_MAX ((size_t)1 << 20)
#define TRUST_PAYLOAD_MAX ((size_t)1 << 20)
#define TRUST_SIGNATURES_MAX 64

struct policy {
    char *path;
    json_t *doc; /* NULL: there is no policy */
};

/* path NULL: KEELSON_POLICY, else ~/.config/keelson/policy.json, which may be missing. */
int policy_load(const char *path, struct policy *out, struct err *e);
void policy_free(struct policy *p);
#define AUTO_POLICY AUTO(policy_free)

/* *key: the key file that the image must be signed with, malloc'd; NULL: none is asked for. */
int policy_key(const struct policy *p, const char *name, char **key, bool *decided, struct err *e);

/*
 * Whether `trust:` of a linuxkit.yml ({"image": [...], "org": [...]}; may be NULL) lists the image: by its reference,
 * by its name without tag, or by its organisation.
 */
bool trust_lists(const json_t *trust, const struct reference *ref);

struct trust {
    const struct policy *policy;
    const json_t *listed;         /* `trust:` of the YAML; NULL: none */
    const char *cache_dir, *arch; /* arch NULL: all platforms; the index has to be signed then */
    struct registry *registry;    /* NULL: signatures must be in the cache */
};

struct blob_desc;

/*
 * 0: the image, whose index or manifest in the cache is `root`, needs no signature or has a right one. An image that
 * `trust:` lists needs one if there is a policy: it is an error then if that does not say whose. -EKEYREJECTED names
 * image and key.
 */
int trust_check(const struct trust *t, const struct reference *ref, const struct blob_desc *root, struct err *e);

/* Whether the signature, in base64, is the key file's of the payload. */
int trust_verify(const char *key_file, const void *payload, size_t len, const char *signature, bool *right,
                 struct err *e);

#endif
