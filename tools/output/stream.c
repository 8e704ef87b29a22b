/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <zlib.h>
#include <zstd.h>

#include "lib/fdutil.h"
#include "tools/output/stream.h"

#define ZSTD_LEVEL 3
#define GZIP_LEVEL 6
#define CHUNK ((size_t)128 << 10)

struct stream {
    int fd;
    char *path, *temporary; /* both NULL: stdout */
    enum compression compression;
    ZSTD_CCtx *zstd;
    z_stream gzip;
    uint64_t written; /* before compression */
    uint64_t stored;
    size_t in_len;
    unsigned char in[CHUNK], out[CHUNK];
};

static int open_temporary(struct stream *s, const char *path, struct err *e) {
    const char *slash = strrchr(path, '/');
    int dir_len = slash ? (int)(slash + 1 - path) : 0;

    s->path = strdup(path);
    if (!s->path || asprintf(&s->temporary, "%.*s.%s.XXXXXX", dir_len, path, path + dir_len) < 0) {
        s->temporary = NULL;
        return err_errno(e, -ENOMEM, "could not write %s", path);
    }
    s->fd = mkostemp(s->temporary, O_CLOEXEC);
    if (s->fd >= 0)
        return 0;
    int r = -errno;
    free(s->temporary);
    s->temporary = NULL;
    return err_errno(e, r, "could not create %s", path);
}

static int open_compressor(struct stream *s, enum compression compression, struct err *e) {
    if (compression == COMPRESS_ZSTD) {
        s->zstd = ZSTD_createCCtx();
        if (!s->zstd || ZSTD_isError(ZSTD_CCtx_setParameter(s->zstd, ZSTD_c_compressionLevel, ZSTD_LEVEL)))
            return err_errno(e, -ENOMEM, "could not start the compression");
    } else if (compression == COMPRESS_GZIP) {
        /* 15 + 16: the largest window, with gzip's header (whose time stays 0) */
        if (deflateInit2(&s->gzip, GZIP_LEVEL, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
            return err_errno(e, -ENOMEM, "could not start the compression");
    }
    s->compression = compression;
    return 0;
}

int stream_open(const char *path, struct stream **out, struct err *e) {
    AUTO_STREAM struct stream *s = calloc(1, sizeof(*s));

    if (!s)
        return err_errno(e, -ENOMEM, "could not write %s", path);
    s->fd = strcmp(path, "-") ? -1 : STDOUT_FILENO;
    int r = s->fd < 0 ? open_temporary(s, path, e) : 0;
    if (!r)
        *out = steal_ptr(&s);
    return r;
}

static int store(struct stream *s, const void *data, size_t len, struct err *e) {
    int r = write_full(s->fd, data, len);

    if (r < 0)
        return err_errno(e, r, "could not write %s", s->path ? s->path : "to stdout");
    s->stored += len;
    return 0;
}

static int flush_zstd(struct stream *s, bool end, struct err *e) {
    ZSTD_inBuffer in = {.src = s->in, .size = s->in_len};

    for (;;) {
        ZSTD_outBuffer out = {.dst = s->out, .size = sizeof(s->out)};
        size_t left = ZSTD_compressStream2(s->zstd, &out, &in, end ? ZSTD_e_end : ZSTD_e_continue);
        if (ZSTD_isError(left))
            return err_set(e, -EIO, "could not compress: %s", ZSTD_getErrorName(left));
        int r = store(s, s->out, out.pos, e);
        if (r < 0)
            return r;
        if (end ? !left : in.pos == in.size)
            return 0;
    }
}

static int flush_gzip(struct stream *s, bool end, struct err *e) {
    s->gzip.next_in = s->in;
    s->gzip.avail_in = (uInt)s->in_len;
    do {
        s->gzip.next_out = s->out;
        s->gzip.avail_out = (uInt)sizeof(s->out);
        if (deflate(&s->gzip, end ? Z_FINISH : Z_NO_FLUSH) == Z_STREAM_ERROR)
            return err_set(e, -EIO, "could not compress");
        int r = store(s, s->out, sizeof(s->out) - s->gzip.avail_out, e);
        if (r < 0)
            return r;
    } while (!s->gzip.avail_out);
    return 0;
}

static int flush(struct stream *s, bool end, struct err *e) {
    int r;

    if (s->compression == COMPRESS_ZSTD)
        r = flush_zstd(s, end, e);
    else if (s->compression == COMPRESS_GZIP)
        r = flush_gzip(s, end, e);
    else
        r = store(s, s->in, s->in_len, e);
    s->in_len = 0;
    return r;
}

int stream_write(struct stream *s, const void *data, size_t len, struct err *e) {
    const unsigned char *p = data;

    s->written += len;
    while (len) {
        size_t n = sizeof(s->in) - s->in_len < len ? sizeof(s->in) - s->in_len : len;
        memcpy(s->in + s->in_len, p, n);
        s->in_len += n;
        p += n;
        len -= n;
        if (s->in_len == sizeof(s->in)) {
            int r = flush(s, false, e);
            if (r < 0)
                return r;
        }
    }
    return 0;
}

int stream_pad(struct stream *s, size_t alignment, struct err *e) {
    static const char zeros[1024];

    return stream_write(s, zeros, (alignment - s->written % alignment) % alignment, e);
}

int stream_copy(struct stream *s, const struct entry_content *content, uint64_t size, const char *what, struct err *e) {
    char chunk[16384];
    uint64_t seen = 0;

    while (content && seen <= size) {
        ssize_t n = content->read(content->ctx, chunk, sizeof(chunk), e);
        if (n < 0)
            return (int)n;
        if (!n)
            break;
        seen += (uint64_t)n;
        int r = seen <= size ? stream_write(s, chunk, (size_t)n, e) : 0;
        if (r < 0)
            return r;
    }
    if (seen != size)
        return err_set(e, -EBADMSG, "could not copy %s: its size is not what was announced", what);
    return 0;
}

int stream_compress(struct stream *s, enum compression compression, struct err *e) {
    int r = stream_pad(s, 4, e);

    if (!r)
        r = flush(s, false, e);
    return r ? r : open_compressor(s, compression, e);
}

int stream_end(struct stream *s, struct err *e) {
    static const char zeros[4];
    int r = flush(s, true, e);

    if (!r && s->compression != COMPRESS_NONE)
        r = store(s, zeros, (4 - s->stored % 4) % 4, e);
    return r;
}

int stream_commit(struct stream *s, struct err *e) {
    if (!s->temporary)
        return 0;
    mode_t mask = umask(0);
    (void)umask(mask);
    if (fchmod(s->fd, 0666 & ~mask) < 0 || rename(s->temporary, s->path) < 0)
        return err_errno(e, -errno, "could not write %s", s->path);
    free(s->temporary);
    s->temporary = NULL;
    return 0;
}

void stream_free(struct stream *s) {
    if (s->temporary)
        (void)unlink(s->temporary);
    if (s->fd >= 0 && s->fd != STDOUT_FILENO)
        (void)close(s->fd);
    if (s->compression == COMPRESS_GZIP)
        (void)deflateEnd(&s->gzip);
    (void)ZSTD_freeCCtx(s->zstd);
    free(s->temporary);
    free(s->path);
    free(s);
}
