/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/trust/trust.h"

#include <errno.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <string.h>

#include "lib/buf.h"
#include "lib/json.h"
#include "tools/cache/merge.h"
#include "tools/image/blob.h"
#include "tools/image/layout.h"

#define SIGNATURE "dev.cosignproject.cosign/signature"
#define PAYLOAD_TYPE "cosign container image signature"

static EVP_PKEY *load_key(const char *path, struct err *e) {
    AUTO_FCLOSE FILE *f = fopen(path, "re");
    EVP_PKEY *key = f ? PEM_read_PUBKEY(f, NULL, NULL, NULL) : NULL;

    if (!f)
        (void)err_errno(e, -errno, "could not open the key %s", path);
    else if (!key)
        (void)err_set(e, -EINVAL, "could not read the key %s: it is no public key in PEM", path);
    return key;
}

static bool decode(const char *text, unsigned char **out, size_t *len) {
    size_t n = strlen(text);
    size_t padding = n && text[n - 1] == '=' ? 1u + (n > 1 && text[n - 2] == '=') : 0;

    *out = n && n < TRUST_PAYLOAD_MAX ? malloc(n) : NULL;
    int got = *out ? EVP_DecodeBlock(*out, (const unsigned char *)text, (int)n) : -1;
    if (got < (int)padding)
        return false;
    *len = (size_t)got - padding;
    return true;
}

int trust_verify(const char *key_file, const void *payload, size_t len, const char *signature, bool *right,
                 struct err *e) {
    AUTO_FREE unsigned char *raw = NULL;
    size_t raw_len = 0;
    EVP_PKEY *key = load_key(key_file, e);

    *right = false;
    if (!key)
        return err_negative(e ? e->code : -EINVAL);
    bool digested = EVP_PKEY_get_base_id(key) != EVP_PKEY_ED25519;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    if (context && decode(signature, &raw, &raw_len) &&
        EVP_DigestVerifyInit(context, NULL, digested ? EVP_sha256() : NULL, NULL, key) == 1)
        *right = EVP_DigestVerify(context, raw, raw_len, payload, len) == 1;
    EVP_MD_CTX_free(context);
    EVP_PKEY_free(key);
    return 0;
}

static int load_bytes(const char *cache_dir, const struct blob_desc *desc, struct buf *out, struct err *e) {
    AUTO_FREE struct blob_reader *b = malloc(sizeof(*b));
    const void *data;
    ssize_t n = 0;

    if (!b)
        return err_errno(e, -ENOMEM, "could not read a signature");
    int r = blob_reader_open(b, cache_dir, desc, e);
    while (!r && (n = blob_reader_read(b, &data, e)) > 0)
        if (buf_append(out, data, (size_t)n) < 0)
            r = err_set(e, -EFBIG, "a signature's payload is larger than %zu bytes", TRUST_PAYLOAD_MAX);
    if (!r)
        r = n < 0 ? (int)n : blob_reader_end(b, e);
    blob_reader_close(b);
    return r;
}

/* What is signed must be this image, and no other one. */
static bool names_digest(const struct buf *payload, const char *digest) {
    AUTO_JSON json_t *doc = json_loadb(payload->data ? payload->data : "", payload->len, JSON_REJECT_DUPLICATES, NULL);
    const json_t *critical = json_object_get(doc, "critical");
    const char *type = json_string_value(json_object_get(critical, "type"));
    const char *signed_digest =
        json_string_value(json_object_get(json_object_get(critical, "image"), "docker-manifest-digest"));

    return type && !strcmp(type, PAYLOAD_TYPE) && signed_digest && !strcmp(signed_digest, digest);
}

static int try_layer(const char *cache_dir, const json_t *layer, const char *digest, const char *key, bool *right,
                     struct err *e) {
    const char *signature = json_string_value(json_object_get(json_object_get(layer, "annotations"), SIGNATURE));
    AUTO_BUF struct buf payload = {.max = TRUST_PAYLOAD_MAX};
    struct blob_desc desc;
    int r = signature ? blob_desc_parse(layer, "$.layers[]", &desc, e) : 0;

    if (!signature || r < 0)
        return r;
    r = load_bytes(cache_dir, &desc, &payload, e);
    if (r < 0 || !names_digest(&payload, digest))
        return r;
    return trust_verify(key, payload.data, payload.len, signature, right, e);
}

/* The name under which the signatures of a digest are. */
static int name_signatures(const struct reference *ref, const char *digest, struct reference *out, struct err *e) {
    AUTO_FREE char *name = NULL;

    if (asprintf(&name, "%s/%s:sha256-%s.sig", ref->registry, ref->repository, digest + strlen("sha256:")) < 0) {
        name = NULL;
        return err_errno(e, -ENOMEM, "could not look for signatures");
    }
    return reference_parse(name, out, e);
}

/* Those that the cache has. -ENOENT: none. */
static int try_cached(const struct trust *t, const char *name, const char *digest, const char *key, bool *right,
                      struct err *e) {
    AUTO_JSON json_t *doc = NULL;
    const json_t *layer;
    struct blob_desc desc;
    size_t i;
    int r = layout_find(t->cache_dir, name, &desc, e);

    if (!r)
        r = blob_load_json(t->cache_dir, &desc, &doc, e);
    json_array_foreach(json_object_get(doc, "layers"), i, layer) {
        if (!r && !*right && i < TRUST_SIGNATURES_MAX)
            r = try_layer(t->cache_dir, layer, digest, key, right, e);
    }
    return r;
}

/* -ENOENT: nobody has signed it. */
static int check_digest(const struct trust *t, const struct reference *ref, const char *digest, const char *key,
                        bool *right, struct err *e) {
    AUTO_REFERENCE struct reference where = {0};
    int r = name_signatures(ref, digest, &where, e);

    if (r < 0)
        return r;
    int cached = try_cached(t, where.name, digest, key, right, e);
    if (*right || !t->registry)
        return cached;
    /* The right one may be newer than what the cache has. */
    r = registry_pull(t->registry, t->cache_dir, &where, NULL, e);
    if (r < 0)
        return cached == 0 ? 0 : r;
    return try_cached(t, where.name, digest, key, right, e);
}

/* What is wrong with the key is no fault of the image. */
static int check_key_file(const char *path, struct err *e) {
    EVP_PKEY *key = load_key(path, e);

    EVP_PKEY_free(key);
    return key ? 0 : err_negative(e ? e->code : -EINVAL);
}

static int check_key(const struct trust *t, const struct reference *ref, const struct blob_desc *root, const char *key,
                     struct err *e) {
    struct blob_desc manifest = *root;
    struct err why = {0};
    bool right = false;
    int r = check_key_file(key, e);

    if (r < 0)
        return err_wrap(e, r, "could not check the signature of %s", ref->name);
    if (t->arch)
        r = index_manifest_of(t->cache_dir, ref->name, t->arch, &manifest, e);
    if (r < 0)
        return r;
    int found = check_digest(t, ref, root->digest, key, &right, &why);
    /* cosign signs the index, or the platform's manifest if it was told to. */
    if (!right && (found == 0 || found == -ENOENT) && strcmp(root->digest, manifest.digest) != 0) {
        struct err second = {0};
        int other = check_digest(t, ref, manifest.digest, key, &right, &second);
        if (other != -ENOENT) {
            found = other;
            why = second;
        }
    }
    if (right)
        return 0;
    if (found < 0 && found != -ENOENT)
        return err_set(e, found, "could not check the signature of %s with %s: %s", ref->name, key, why.msg);
    return err_set(e, -EKEYREJECTED, "image %s (%s) %s the key %s", ref->name, root->digest,
                   !found ? "is not signed with"
                   : t->registry
                       ? "is not signed; it must be with"
                       : "has no signature in the cache, and --offline forbids to ask for one; it must be with",
                   key);
}

int trust_check(const struct trust *t, const struct reference *ref, const struct blob_desc *root, struct err *e) {
    AUTO_FREE char *key = NULL;
    bool decided = false;

    if (!t->policy || !t->policy->doc)
        return 0;
    int r = policy_key(t->policy, ref->name, &key, &decided, e);
    if (r < 0)
        return r;
    if (!decided && trust_lists(t->listed, ref))
        return err_set(e, -EKEYREJECTED, "image %s must be signed (trust:), but the policy %s has no key for it",
                       ref->name, t->policy->path);
    return key ? check_key(t, ref, root, key, e) : 0;
}
