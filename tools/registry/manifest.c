/* SPDX-License-Identifier: Apache-2.0 */
/* Manifests and indexes, which are small and fetched whole. */
#include <errno.h>
#include <string.h>

#include "lib/json.h"
#include "tools/registry/registry_priv.h"

struct document {
    struct buf text;
};

static int take(void *ctx, const void *data, size_t len, struct err *e) {
    struct document *d = ctx;

    return buf_append(&d->text, data, len) < 0
               ? err_set(e, -EFBIG, "the manifest is larger than %zu bytes", REGISTRY_MANIFEST_MAX)
               : 0;
}

static void restart(struct http_request *rq) {
    struct document *d = rq->sink_ctx;

    buf_reset(&d->text);
}

int manifest_check_name(const struct blob_desc *desc, const struct reference *to, struct err *e) {
    return to->digest && strcmp(to->digest, desc->digest) != 0
               ? err_set(e, -EINVAL, "what would be sent has digest %s", desc->digest)
               : 0;
}

bool manifest_is_index(const json_t *doc) {
    return json_is_array(json_object_get(doc, "manifests"));
}

static int text_digest(const struct buf *text, char *digest, struct err *e) {
    EVP_MD_CTX *hash = digest_new();
    int r = hash && EVP_DigestUpdate(hash, text->data ? text->data : "", text->len) == 1
                ? digest_final(hash, digest, e)
                : err_errno(e, -ENOMEM, "could not hash the manifest");

    EVP_MD_CTX_free(hash);
    return r;
}

void manifest_set_type(struct blob_desc *desc, const json_t *doc, const char *otherwise) {
    const char *type = json_string_value(json_object_get(doc, "mediaType"));

    if (!type && (strstr(otherwise, "manifest") || strstr(otherwise, "index")))
        type = otherwise;
    if (!type)
        type = manifest_is_index(doc) ? "application/vnd.oci.image.index.v1+json"
                                      : "application/vnd.oci.image.manifest.v1+json";
    /* It may be where the type is to go. */
    size_t len = strcspn(type, "; ");
    len = len < sizeof(desc->media_type) ? len : sizeof(desc->media_type) - 1;
    memmove(desc->media_type, type, len);
    desc->media_type[len] = '\0';
}

static int check(const struct document *d, const char *version, const struct http_reply *rp, struct blob_desc *desc,
                 json_t **doc, struct err *e) {
    json_error_t why;
    int r = text_digest(&d->text, desc->digest, e);

    if (r < 0)
        return r;
    desc->size = d->text.len;
    if (digest_valid(version) && strcmp(version, desc->digest) != 0)
        return err_set(e, -EBADMSG, "the manifest has digest %s instead of %s", desc->digest, version);
    *doc = json_loadb(d->text.data ? d->text.data : "", d->text.len, JSON_REJECT_DUPLICATES, &why);
    if (!*doc)
        return err_set(e, -EBADMSG, "the manifest is not JSON: line %d: %s", why.line, why.text);
    bool is_manifest =
        json_is_object(json_object_get(*doc, "config")) && json_is_array(json_object_get(*doc, "layers"));
    if (!manifest_is_index(*doc) && !is_manifest)
        return err_set(e, -EBADMSG, "the answer is neither a manifest nor an index");
    manifest_set_type(desc, *doc, rp->content_type);
    return 0;
}

static int store(const char *cache_dir, const struct document *d, struct blob_desc *desc, struct err *e) {
    struct blob_writer w;
    int r = blob_writer_open(&w, cache_dir, e);

    if (r < 0)
        return r;
    r = blob_writer_write(&w, d->text.data, d->text.len, e);
    if (r < 0) {
        blob_writer_abort(&w);
        return r;
    }
    return blob_writer_finish(&w, desc->digest, NULL, e);
}

int manifest_fetch(const struct target *t, const char *cache_dir, const char *version, struct blob_desc *desc,
                   json_t **doc, struct err *e) {
    struct document d = {.text = {.max = REGISTRY_MANIFEST_MAX}};
    AUTO_REPLY struct http_reply rp = {0};
    AUTO_FREE char *path = NULL;
    AUTO_JSON json_t *parsed = NULL;
    struct http_request rq = {
        .prepare = restart, .method = "GET", .accept = ACCEPT_MANIFESTS, .sink = take, .sink_ctx = &d};

    if (asprintf(&path, "manifests/%s", version) < 0) {
        path = NULL;
        return err_errno(e, -ENOMEM, "could not fetch a manifest");
    }
    int r = target_request(t, path, &rq, &rp, e);
    if (!r && (r = check(&d, version, &rp, desc, &parsed, e)) < 0)
        (void)err_wrap(e, r, "%s", t->endpoint->host);
    if (!r && cache_dir)
        r = store(cache_dir, &d, desc, e);
    buf_free(&d.text);
    if (!r)
        *doc = steal_ptr(&parsed);
    return r;
}

int manifest_get(const struct target *t, const char *cache_dir, struct blob_desc *desc, json_t **doc, struct err *e) {
    struct blob_desc got = {0};

    if (blob_exists(cache_dir, desc) && blob_load_json(cache_dir, desc, doc, NULL) == 0)
        return 0;
    int r = manifest_fetch(t, cache_dir, desc->digest, &got, doc, e);
    return !r && got.size != desc->size
               ? err_set(e, -EBADMSG, "%s: %s has %llu bytes, and its index says %llu", t->endpoint->host, desc->digest,
                         (unsigned long long)got.size, (unsigned long long)desc->size)
               : r;
}
