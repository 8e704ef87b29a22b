/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/image/blob.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/fdutil.h"
#include "lib/json.h"

EVP_MD_CTX *digest_new(void) {
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();

    if (ctx && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) != 1) {
        EVP_MD_CTX_free(ctx);
        return NULL;
    }
    return ctx;
}

int digest_final(EVP_MD_CTX *hash, char *digest, struct err *e) {
    unsigned char raw[EVP_MAX_MD_SIZE];
    unsigned len = 0;

    if (EVP_DigestFinal_ex(hash, raw, &len) != 1 || len != 32)
        return err_set(e, -EIO, "could not compute a sha256 digest");
    memcpy(digest, "sha256:", 8);
    for (unsigned i = 0; i < len; i++)
        (void)snprintf(digest + 7 + 2 * i, 3, "%02x", raw[i]);
    return 0;
}

bool digest_valid(const char *digest) {
    return !strncmp(digest, "sha256:", 7) && strlen(digest) == 7 + 64 && strspn(digest + 7, "0123456789abcdef") == 64;
}

int blob_desc_parse(const json_t *obj, const char *where, struct blob_desc *out, struct err *e) {
    const char *digest = NULL, *media_type = "";
    int64_t size = -1;
    int r = json_get_string(obj, where, "digest", true, &digest, e);

    if (!r)
        r = json_get_string(obj, where, "mediaType", false, &media_type, e);
    if (!r)
        r = json_get_int(obj, where, "size", true, &size, e);
    if (r < 0)
        return r;
    if (!digest_valid(digest))
        return err_set(e, -EINVAL, "%s.digest is not a sha256 digest: \"%.100s\"", where, digest);
    if (size < 0)
        return err_set(e, -EINVAL, "%s.size is negative", where);
    (void)snprintf(out->digest, sizeof(out->digest), "%s", digest);
    (void)snprintf(out->media_type, sizeof(out->media_type), "%s", media_type);
    out->size = (uint64_t)size;
    return 0;
}

char *blob_path(const char *cache_dir, const char *digest) {
    char *path = NULL;

    return asprintf(&path, "%s/blobs/sha256/%s", cache_dir, digest + strlen("sha256:")) < 0 ? NULL : path;
}

bool blob_exists(const char *cache_dir, const struct blob_desc *desc) {
    AUTO_FREE char *path = blob_path(cache_dir, desc->digest);
    struct stat st;

    return path && lstat(path, &st) == 0 && S_ISREG(st.st_mode) && (uint64_t)st.st_size == desc->size;
}

int blob_reader_open(struct blob_reader *b, const char *cache_dir, const struct blob_desc *desc, struct err *e) {
    AUTO_FREE char *path = blob_path(cache_dir, desc->digest);
    struct stat st;

    b->fd = -1;
    b->hash = NULL;
    b->seen = 0;
    b->desc = *desc;
    if (!path)
        return err_errno(e, -ENOMEM, "could not open blob %s", desc->digest);
    b->fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC); /* a FIFO there must not hold us */
    if (b->fd < 0 || fstat(b->fd, &st) < 0)
        return err_errno(e, -errno, "could not open blob %s", path);
    if (!S_ISREG(st.st_mode))
        return err_set(e, -EINVAL, "could not open blob %s: it is not a regular file", path);
    b->hash = digest_new();
    if (!b->hash)
        return err_errno(e, -ENOMEM, "could not open blob %s", path);
    return 0;
}

ssize_t blob_reader_read(struct blob_reader *b, const void **data, struct err *e) {
    ssize_t n = read_full(b->fd, b->chunk, sizeof(b->chunk));

    if (n < 0)
        return err_errno(e, (int)n, "could not read blob %s", b->desc.digest);
    b->seen += (uint64_t)n;
    if (b->seen > b->desc.size)
        return err_set(e, -EBADMSG, "blob %s is longer than the %llu bytes it should have", b->desc.digest,
                       (unsigned long long)b->desc.size);
    if (EVP_DigestUpdate(b->hash, b->chunk, (size_t)n) != 1)
        return err_set(e, -EIO, "could not hash blob %s", b->desc.digest);
    *data = b->chunk;
    return n;
}

int blob_reader_end(struct blob_reader *b, struct err *e) {
    char digest[DIGEST_MAX];
    const void *data;
    ssize_t n;

    while ((n = blob_reader_read(b, &data, e)) > 0)
        ;
    if (n < 0)
        return (int)n;
    int r = digest_final(b->hash, digest, e);
    if (r < 0)
        return r;
    if (b->seen != b->desc.size)
        return err_set(e, -EBADMSG, "blob %s has %llu bytes instead of %llu: it is cut off", b->desc.digest,
                       (unsigned long long)b->seen, (unsigned long long)b->desc.size);
    if (strcmp(digest, b->desc.digest) != 0)
        return err_set(e, -EBADMSG, "blob %s is damaged: its contents have digest %s", b->desc.digest, digest);
    return 0;
}

void blob_reader_close(struct blob_reader *b) {
    if (b->fd >= 0)
        (void)close(b->fd);
    EVP_MD_CTX_free(b->hash);
    b->fd = -1;
    b->hash = NULL;
}

static int load_text(struct blob_reader *b, struct buf *text, struct err *e) {
    const void *data;
    ssize_t n;

    while ((n = blob_reader_read(b, &data, e)) > 0)
        if (buf_append(text, data, (size_t)n) < 0)
            return err_set(e, -EFBIG, "blob %s is larger than %zu bytes", b->desc.digest, BLOB_JSON_MAX);
    return n < 0 ? (int)n : blob_reader_end(b, e);
}

int blob_load_json(const char *cache_dir, const struct blob_desc *desc, json_t **out, struct err *e) {
    AUTO_BUF struct buf text = {.max = BLOB_JSON_MAX};
    AUTO_FREE struct blob_reader *b = malloc(sizeof(*b));
    json_error_t why;

    if (!b)
        return err_errno(e, -ENOMEM, "could not read blob %s", desc->digest);
    int r = blob_reader_open(b, cache_dir, desc, e);
    if (!r)
        r = load_text(b, &text, e);
    blob_reader_close(b);
    if (r < 0)
        return r;
    *out = json_loadb(text.data ? text.data : "", text.len, 0, &why);
    return *out ? 0
                : err_set(e, -EINVAL, "could not parse blob %s: line %d, column %d: %s", desc->digest, why.line,
                          why.column, why.text);
}

int blob_writer_open(struct blob_writer *w, const char *cache_dir, struct err *e) {
    *w = (struct blob_writer){.fd = -1};
    w->hash = digest_new();
    if (!w->hash || asprintf(&w->dir, "%s/blobs/sha256", cache_dir) < 0 ||
        asprintf(&w->path, "%s/.new-XXXXXX", w->dir) < 0) {
        blob_writer_abort(w);
        return err_errno(e, -ENOMEM, "could not write a blob to %s", cache_dir);
    }
    int r = mkdir_p(w->dir, 0755, e);
    if (r < 0) {
        blob_writer_abort(w);
        return r;
    }
    w->fd = mkostemp(w->path, O_CLOEXEC);
    if (w->fd < 0) {
        r = err_errno(e, -errno, "could not create a file in %s", w->dir);
        blob_writer_abort(w);
        return r;
    }
    return 0;
}

int blob_writer_write(struct blob_writer *w, const void *data, size_t len, struct err *e) {
    int r = write_full(w->fd, data, len);

    if (r < 0)
        return err_errno(e, r, "could not write %s", w->path);
    if (EVP_DigestUpdate(w->hash, data, len) != 1)
        return err_set(e, -EIO, "could not hash %s", w->path);
    w->size += len;
    return 0;
}

static int publish(struct blob_writer *w, char *digest, struct err *e) {
    AUTO_FREE char *final = NULL;
    int r = digest_final(w->hash, digest, e);

    if (r < 0)
        return r;
    if (asprintf(&final, "%s/%s", w->dir, digest + 7) < 0) {
        final = NULL;
        return err_errno(e, -ENOMEM, "could not store blob %s", digest);
    }
    if (fchmod(w->fd, 0644) < 0 || fsync(w->fd) < 0 || rename(w->path, final) < 0)
        return err_errno(e, -errno, "could not store blob %s", final);
    return 0;
}

int blob_writer_finish(struct blob_writer *w, char *digest, uint64_t *size, struct err *e) {
    int r = publish(w, digest, e);

    if (size)
        *size = w->size;
    if (!r) {
        free(w->path);
        w->path = NULL;
    }
    blob_writer_abort(w);
    return r;
}

void blob_writer_abort(struct blob_writer *w) {
    if (w->fd >= 0)
        (void)close(w->fd);
    if (w->path && w->fd >= 0)
        (void)unlink(w->path);
    free(w->path);
    free(w->dir);
    EVP_MD_CTX_free(w->hash);
    *w = (struct blob_writer){.fd = -1};
}

int blob_store_json(const char *cache_dir, const json_t *doc, struct blob_desc *out, struct err *e) {
    struct blob_writer w;
    AUTO_FREE char *text = json_dumps(doc, JSON_COMPACT | JSON_SORT_KEYS);

    if (!text)
        return err_errno(e, -ENOMEM, "could not write a document to %s", cache_dir);
    int r = blob_writer_open(&w, cache_dir, e);
    if (r < 0)
        return r;
    r = blob_writer_write(&w, text, strlen(text), e);
    if (r < 0) {
        blob_writer_abort(&w);
        return r;
    }
    return blob_writer_finish(&w, out->digest, &out->size, e);
}
