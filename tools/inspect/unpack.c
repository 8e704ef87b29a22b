/* SPDX-License-Identifier: Apache-2.0 */
#define ZLIB_CONST
#include "tools/inspect/unpack.h"

#include <errno.h>
#include <lzma.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#define IN_SIZE ((size_t)64 << 10)
#define XZ_MEMORY ((uint64_t)128 << 20)

struct unpack {
    FILE *f;
    enum compression how;
    bool ended; /* the member */
    ZSTD_DCtx *zstd;
    z_stream gzip;
    lzma_stream xz;
    uint64_t fed; /* bytes that were read from f */
    size_t at, len;
    unsigned char in[IN_SIZE];
};

int unpack_new(FILE *f, struct unpack **out, struct err *e) {
    struct unpack *u = calloc(1, sizeof(*u));

    if (!u)
        return err_errno(e, -ENOMEM, "could not read an initrd");
    u->f = f;
    u->ended = true;
    *out = u;
    return 0;
}

/* At least `want` bytes are there, unless the file ends. */
static int fill(struct unpack *u, size_t want, struct err *e) {
    if (u->len - u->at >= want)
        return 0;
    memmove(u->in, u->in + u->at, u->len - u->at);
    u->len -= u->at;
    u->at = 0;
    size_t n = fread(u->in + u->len, 1, IN_SIZE - u->len, u->f);
    u->len += n;
    u->fed += n;
    return n || !ferror(u->f) ? 0 : err_errno(e, -EIO, "could not read an initrd");
}

static int begin(struct unpack *u, struct err *e) {
    bool ok = true;

    if (u->how == COMPRESS_ZSTD) {
        u->zstd = u->zstd ? u->zstd : ZSTD_createDCtx();
        ok = u->zstd && !ZSTD_isError(ZSTD_DCtx_reset(u->zstd, ZSTD_reset_session_only));
    } else if (u->how == COMPRESS_GZIP) {
        (void)inflateEnd(&u->gzip);
        memset(&u->gzip, 0, sizeof(u->gzip));
        ok = inflateInit2(&u->gzip, 15 + 16) == Z_OK;
    } else if (u->how == COMPRESS_XZ) {
        ok = lzma_stream_decoder(&u->xz, XZ_MEMORY, 0) == LZMA_OK;
    }
    u->ended = false;
    return ok ? 1 : err_errno(e, -ENOMEM, "could not start to decompress");
}

int unpack_next(struct unpack *u, enum compression *how, struct err *e) {
    static const struct {
        enum compression how;
        const char *magic;
        size_t len;
    } magics[] = {{COMPRESS_ZSTD, "\x28\xb5\x2f\xfd", 4},
                  {COMPRESS_GZIP, "\x1f\x8b", 2},
                  {COMPRESS_XZ,
                   "\xfd"
                   "7zXZ",
                   5},
                  {COMPRESS_NONE, "07070", 5}};
    int r;

    do {
        while (u->at < u->len && !u->in[u->at])
            u->at++;
        r = fill(u, 8, e);
    } while (!r && u->at < u->len && !u->in[u->at]);
    if (r < 0 || u->at == u->len)
        return r;
    for (size_t i = 0; i < ARRAY_SIZE(magics); i++)
        if (u->len - u->at >= magics[i].len && !memcmp(u->in + u->at, magics[i].magic, magics[i].len)) {
            u->how = *how = magics[i].how;
            return begin(u, e);
        }
    return err_set(e, -EBADMSG, "at byte %llu is neither a cpio archive nor anything compressed that is known here",
                   (unsigned long long)unpack_position(u));
}

static ssize_t read_zstd(struct unpack *u, void *data, size_t len, struct err *e) {
    ZSTD_inBuffer in = {.src = u->in + u->at, .size = u->len - u->at};
    ZSTD_outBuffer out = {.dst = data, .size = len};
    size_t left = ZSTD_decompressStream(u->zstd, &out, &in);

    if (ZSTD_isError(left))
        return err_set(e, -EBADMSG, "could not decompress: %s", ZSTD_getErrorName(left));
    u->at += in.pos;
    u->ended = left == 0;
    return (ssize_t)out.pos;
}

static ssize_t read_gzip(struct unpack *u, void *data, size_t len, struct err *e) {
    u->gzip.next_in = u->in + u->at;
    u->gzip.avail_in = (uInt)(u->len - u->at);
    u->gzip.next_out = data;
    u->gzip.avail_out = (uInt)len;
    int status = inflate(&u->gzip, Z_NO_FLUSH);
    if (status != Z_OK && status != Z_STREAM_END && status != Z_BUF_ERROR)
        return err_set(e, -EBADMSG, "could not decompress: %s", u->gzip.msg ? u->gzip.msg : "damaged");
    u->at = u->len - u->gzip.avail_in;
    u->ended = status == Z_STREAM_END;
    return (ssize_t)(len - u->gzip.avail_out);
}

static ssize_t read_xz(struct unpack *u, void *data, size_t len, struct err *e) {
    u->xz.next_in = u->in + u->at;
    u->xz.avail_in = u->len - u->at;
    u->xz.next_out = data;
    u->xz.avail_out = len;
    lzma_ret status = lzma_code(&u->xz, LZMA_RUN);
    if (status != LZMA_OK && status != LZMA_STREAM_END && status != LZMA_BUF_ERROR)
        return err_set(e, -EBADMSG, "could not decompress: it is damaged");
    u->at = u->len - u->xz.avail_in;
    u->ended = status == LZMA_STREAM_END;
    return (ssize_t)(len - u->xz.avail_out);
}

static ssize_t read_raw(struct unpack *u, void *data, size_t len) {
    size_t n = u->len - u->at < len ? u->len - u->at : len;

    memcpy(data, u->in + u->at, n);
    u->at += n;
    u->ended = n == 0;
    return (ssize_t)n;
}

ssize_t unpack_read(struct unpack *u, void *data, size_t len, struct err *e) {
    ssize_t n = 0;

    while (!u->ended && !n && len) {
        int r = fill(u, 1, e);
        if (r < 0)
            return r;
        bool dry = u->at == u->len;
        n = u->how == COMPRESS_ZSTD   ? read_zstd(u, data, len, e)
            : u->how == COMPRESS_GZIP ? read_gzip(u, data, len, e)
            : u->how == COMPRESS_XZ   ? read_xz(u, data, len, e)
                                      : read_raw(u, data, len);
        if (!n && dry && !u->ended)
            return err_set(e, -EBADMSG, "could not decompress: it is cut off");
    }
    return n;
}

uint64_t unpack_position(const struct unpack *u) {
    return u->fed - (u->len - u->at);
}

void unpack_free(struct unpack *u) {
    (void)ZSTD_freeDCtx(u->zstd);
    (void)inflateEnd(&u->gzip);
    lzma_end(&u->xz);
    free(u);
}
