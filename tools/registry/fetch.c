/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One blob into the cache. What arrives goes to CACHE/.partial/HEX, locked by who fetches it: a second process waits,
 * and finds the blob there. The file of a process that died is not locked, and the next one goes on at its end.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "tools/cache/partial.h"
#include "tools/registry/registry_priv.h"

struct fetch {
    struct transfer *x;
    size_t index;
    const struct blob_desc *desc;
    struct partial part;
    uint64_t have; /* bytes in the file, all of them hashed */
    EVP_MD_CTX *hash;
};

static int hash_file(struct fetch *f, struct err *e) {
    char chunk[65536];
    ssize_t n;

    f->have = 0;
    if (EVP_DigestInit_ex(f->hash, EVP_sha256(), NULL) != 1)
        return err_set(e, -EIO, "could not hash");
    while ((n = pread(f->part.fd, chunk, sizeof(chunk), (off_t)f->have)) > 0) {
        if (EVP_DigestUpdate(f->hash, chunk, (size_t)n) != 1)
            return err_set(e, -EIO, "could not hash");
        f->have += (uint64_t)n;
    }
    return n < 0 ? err_errno(e, -errno, "could not read %s", f->part.path) : 0;
}

/* From the start again. */
static int start_over(struct fetch *f, struct err *e) {
    return ftruncate(f->part.fd, 0) < 0 ? err_errno(e, -errno, "could not write %s", f->part.path) : hash_file(f, e);
}

static int take(void *ctx, const void *data, size_t len, struct err *e) {
    struct fetch *f = ctx;

    if (len > f->desc->size - f->have)
        return err_set(e, -EBADMSG, "it is longer than the %llu bytes it should have",
                       (unsigned long long)f->desc->size);
    for (size_t done = 0; done < len;) {
        ssize_t n = pwrite(f->part.fd, (const char *)data + done, len - done, (off_t)(f->have + done));
        if (n < 0 && errno != EINTR)
            return err_errno(e, -errno, "could not write %s", f->part.path);
        done += n > 0 ? (size_t)n : 0;
    }
    if (EVP_DigestUpdate(f->hash, data, len) != 1)
        return err_set(e, -EIO, "could not hash");
    f->have += len;
    progress_set(f->x->progress, f->index, f->have);
    return 0;
}

static void prepare(struct http_request *rq) {
    const struct fetch *f = rq->sink_ctx;

    rq->from = f->have;
}

static int request(struct fetch *f, const struct target *t, struct err *e) {
    AUTO_FREE char *path = NULL;
    struct http_request rq = {.prepare = prepare, .method = "GET", .sink = take, .sink_ctx = f};

    if (asprintf(&path, "blobs/%s", f->desc->digest) < 0) {
        path = NULL;
        return err_errno(e, -ENOMEM, "could not fetch it");
    }
    for (unsigned tries = 1;; tries++) {
        AUTO_REPLY struct http_reply rp = {0};
        int r = target_request(t, path, &rq, &rp, e);
        bool no_range = r == -ERANGE || (r < 0 && rp.status == 416);
        if (!no_range || !f->have || tries == HTTP_TRIES_MAX)
            return r;
        /* No such range, or ranges at all: what is there is of no use. */
        if ((r = start_over(f, e)) < 0)
            return r;
    }
}

static int check(struct fetch *f, struct err *e) {
    char digest[DIGEST_MAX];
    int r = digest_final(f->hash, digest, e);

    if (r < 0)
        return r;
    if (f->have != f->desc->size)
        return err_set(e, -EBADMSG, "it has %llu bytes instead of %llu", (unsigned long long)f->have,
                       (unsigned long long)f->desc->size);
    if (strcmp(digest, f->desc->digest) != 0)
        return err_set(e, -EBADMSG, "its contents have digest %s", digest);
    return 0;
}

static int fetch_locked(struct fetch *f, const struct target *t, struct err *e) {
    int r = hash_file(f, e);

    if (!r && f->have > f->desc->size)
        r = start_over(f, e);
    progress_set(f->x->progress, f->index, f->have);
    bool resumed = f->have > 0;
    if (!r && f->have < f->desc->size)
        r = request(f, t, e);
    if (!r)
        r = check(f, e);
    /* What an earlier process left may be what is wrong. */
    if (r == -EBADMSG && resumed && start_over(f, e) == 0) {
        r = request(f, t, e);
        if (!r)
            r = check(f, e);
    }
    if (!r)
        return partial_publish(&f->part, e);
    /* Wrong bytes are of no use, and on a full disk none are. */
    if (r == -EBADMSG || r == -ENOSPC || r == -EDQUOT)
        partial_drop(&f->part);
    return r;
}

int blob_fetch(struct transfer *x, CURL *curl, size_t index, struct err *e) {
    struct fetch f = {.x = x, .index = index, .desc = &x->blobs[index]};
    struct target t = *x->target;
    int r = partial_open(&f.part, x->cache_dir, f.desc, e);

    t.curl = curl;
    if (r > 0) { /* somebody else was faster */
        progress_set(x->progress, index, f.desc->size);
        return 0;
    }
    f.hash = r < 0 ? NULL : digest_new();
    if (!r)
        r = f.hash ? fetch_locked(&f, &t, e) : err_errno(e, -ENOMEM, "could not fetch it");
    EVP_MD_CTX_free(f.hash);
    partial_close(&f.part);
    return r < 0 ? err_wrap(e, r, "layer %s", f.desc->digest) : 0;
}
