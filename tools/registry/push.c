/* SPDX-License-Identifier: Apache-2.0 */
/* From the cache to a registry: blobs in parallel, then manifests, what is referred to first. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "lib/json.h"
#include "lib/log.h"
#include "tools/cache/closure.h"
#include "tools/cache/merge.h"
#include "tools/image/layout.h"
#include "tools/registry/registry_priv.h"

struct sending {
    struct transfer *x;
    size_t index;
};

static void on_sent(void *ctx, uint64_t bytes) {
    const struct sending *s = ctx;

    progress_set(s->x->progress, s->index, bytes);
}

static int open_blob(const char *cache_dir, const struct blob_desc *desc, struct err *e) {
    AUTO_FREE char *path = blob_path(cache_dir, desc->digest);
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;

    return fd < 0 ? err_errno(e, path ? -errno : -ENOMEM, "could not open blob %s", desc->digest) : fd;
}

static int is_there(const struct target *t, const struct blob_desc *desc, struct err *e) {
    AUTO_REPLY struct http_reply rp = {0};
    char path[DIGEST_MAX + 16];
    struct http_request rq = {.method = "HEAD"};

    (void)snprintf(path, sizeof(path), "blobs/%s", desc->digest);
    int r = target_request(t, path, &rq, &rp, e);
    return r == -ENOENT ? 0 : r < 0 ? r : 1;
}

/* Where the registry wants the bytes: its Location, with the digest added. */
static int begin_upload(const struct target *t, const struct blob_desc *desc, char **url, struct err *e) {
    AUTO_REPLY struct http_reply rp = {0};
    struct http_request rq = {.method = "POST"};
    int r = target_request(t, "blobs/uploads/", &rq, &rp, e);

    if (r < 0)
        return r;
    if (!*rp.location)
        return err_set(e, -EPROTO, "%s does not say where to upload to", t->endpoint->host);
    if (asprintf(url, "%s%sdigest=%s", rp.location, strchr(rp.location, '?') ? "&" : "?", desc->digest) < 0) {
        *url = NULL;
        return err_errno(e, -ENOMEM, "could not upload");
    }
    return 0;
}

static int upload(const struct target *t, struct sending *s, const struct blob_desc *desc, struct err *e) {
    AUTO_REPLY struct http_reply rp = {0};
    AUTO_FREE char *url = NULL;
    AUTO_CLOSE int fd = open_blob(s->x->cache_dir, desc, e);
    int r = fd < 0 ? fd : begin_upload(t, desc, &url, e);

    if (r < 0)
        return r;
    struct http_request rq = {.method = "PUT",
                              .url = url,
                              .content_type = "application/octet-stream",
                              .body_fd = fd,
                              .body_len = desc->size,
                              .sent = on_sent,
                              .sent_ctx = s};
    return target_request(t, NULL, &rq, &rp, e);
}

static int blob_push(struct transfer *x, CURL *curl, size_t index, struct err *e) {
    struct sending s = {.x = x, .index = index};
    const struct blob_desc *desc = &x->blobs[index];
    struct target t = *x->target;

    t.curl = curl;
    int r = is_there(&t, desc, e);
    if (!r)
        r = upload(&t, &s, desc, e);
    if (r >= 0)
        progress_set(x->progress, index, desc->size);
    return r < 0 ? err_wrap(e, r, "layer %s", desc->digest) : 0;
}

int manifest_put(const struct target *t, const char *cache_dir, const struct blob_desc *desc, const char *version,
                 struct err *e) {
    AUTO_REPLY struct http_reply rp = {0};
    AUTO_FREE char *path = NULL;
    AUTO_CLOSE int fd = open_blob(cache_dir, desc, e);

    if (fd < 0)
        return fd;
    if (asprintf(&path, "manifests/%s", version) < 0) {
        path = NULL;
        return err_errno(e, -ENOMEM, "could not send the manifest");
    }
    struct http_request rq = {.method = "PUT", .content_type = desc->media_type, .body_fd = fd, .body_len = desc->size};
    int r = target_request(t, path, &rq, &rp, e);
    return r < 0 ? err_wrap(e, r, "manifest %s", desc->digest) : 0;
}

/* A descriptor of index.json may lack the media type that a registry insists on. */
static int complete_type(const char *cache_dir, struct blob_desc *desc, struct err *e) {
    AUTO_JSON json_t *doc = NULL;
    int r = blob_load_json(cache_dir, desc, &doc, e);

    if (!r)
        manifest_set_type(desc, doc, desc->media_type);
    return r;
}

static int push_all(const struct target *t, struct transfer *x, const struct closure *c, const struct reference *to,
                    struct err *e) {
    int r = 0;

    for (size_t i = 0; i < c->len && !r; i++)
        if (!c->v[i].manifest)
            r = transfer_add(x, &c->v[i].desc, e);
    if (!r)
        r = transfer_run(x, to->name, e);
    for (size_t i = 0; i < c->len && !r; i++) {
        struct blob_desc desc = c->v[i].desc;
        bool top = i + 1 == c->len;
        if (!c->v[i].manifest)
            continue;
        r = complete_type(x->cache_dir, &desc, e);
        if (!r)
            r = manifest_put(t, x->cache_dir, &desc, top && to->tag ? to->tag : desc.digest, e);
    }
    return r;
}

int registry_push(struct registry *r, const char *cache_dir, const char *ref, const struct reference *to,
                  const char *arch, struct err *e) {
    AUTO_CLOSURE struct closure c = {0};
    struct endpoint *list[ENDPOINTS_MAX];
    struct blob_desc root;
    size_t len;
    int result = layout_find(cache_dir, ref, &root, e);

    if (!result && arch)
        result = index_narrow(cache_dir, arch, &root, e);
    if (!result)
        result = manifest_check_name(&root, to, e);
    if (!result)
        result = closure_add(&c, cache_dir, &root, NULL, e);
    if (!result && c.missing)
        result = err_set(e, -ENOENT,
                         "the cache has it in part only: %s is missing; pull it for all platforms with cache pull "
                         "--arch all, or push one platform with --arch",
                         c.example);
    if (!result)
        result = registry_endpoints(r, to->registry, list, &len, e);
    if (!result) {
        const struct target t = {.registry = r,
                                 .endpoint = list[len - 1], /* never to a mirror */
                                 .curl = r->curl,
                                 .repository = to->repository,
                                 .push = true};
        struct transfer x = {.target = &t, .cache_dir = cache_dir, .move = blob_push};
        log_info("pushing %s to %s", to->name, t.endpoint->host);
        result = push_all(&t, &x, &c, to, e);
        transfer_free(&x);
    }
    return result < 0 ? err_wrap(e, result, "could not push %s", to->name) : 0;
}
