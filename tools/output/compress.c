/* SPDX-License-Identifier: Apache-2.0 */
#define ZLIB_CONST
#include "tools/output/compress.h"

#include <errno.h>
#include <lzma.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#define ZSTD_LEVEL 3
#define ZSTD_JOB (1 << 20)
#define GZIP_LEVEL 6
#define XZ_PRESET 6
#define XZ_DICTIONARY (1U << 20)
#define OUT_SIZE ((size_t)128 << 10)

struct compressor {
    enum compression how;
    bool begun; /* in the middle of a stream */
    ZSTD_CCtx *zstd;
    z_stream gzip;
    lzma_stream xz;
    unsigned char out[OUT_SIZE];
};

static const char *const names[] = {
    [COMPRESS_NONE] = "none", [COMPRESS_ZSTD] = "zstd", [COMPRESS_GZIP] = "gzip", [COMPRESS_XZ] = "xz"};

const char *compression_name(enum compression how) {
    return names[how];
}

int compression_parse(const char *word, enum compression *out) {
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (!strcmp(word, names[i])) {
            *out = (enum compression)i;
            return 0;
        }
    return -EINVAL;
}

const char *compression_version(enum compression how) {
    return how == COMPRESS_ZSTD   ? ZSTD_versionString()
           : how == COMPRESS_GZIP ? zlibVersion()
           : how == COMPRESS_XZ   ? lzma_version_string()
                                  : "";
}

/* One worker is enough to be parallel to whoever fills it; its number changes nothing in the bytes. */
static bool open_zstd(struct compressor *c) {
    c->zstd = ZSTD_createCCtx();
    return c->zstd && !ZSTD_isError(ZSTD_CCtx_setParameter(c->zstd, ZSTD_c_compressionLevel, ZSTD_LEVEL)) &&
           !ZSTD_isError(ZSTD_CCtx_setParameter(c->zstd, ZSTD_c_nbWorkers, 1)) &&
           !ZSTD_isError(ZSTD_CCtx_setParameter(c->zstd, ZSTD_c_jobSize, ZSTD_JOB));
}

int compressor_new(enum compression how, struct compressor **out, struct err *e) {
    AUTO_COMPRESSOR struct compressor *c = calloc(1, sizeof(*c));
    bool ok = c != NULL;

    if (ok)
        c->how = how;
    if (ok && how == COMPRESS_ZSTD)
        ok = open_zstd(c);
    /* 15 + 16: the largest window, with gzip's header (whose time stays 0) */
    if (ok && how == COMPRESS_GZIP)
        ok = deflateInit2(&c->gzip, GZIP_LEVEL, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK;
    if (!ok)
        return err_errno(e, -ENOMEM, "could not start the compression");
    *out = steal_ptr(&c);
    return 0;
}

static int write_zstd(struct compressor *c, ZSTD_inBuffer in, bool end, compressor_sink *sink, void *data,
                      struct err *e) {
    for (;;) {
        ZSTD_outBuffer out = {.dst = c->out, .size = sizeof(c->out)};
        size_t left = ZSTD_compressStream2(c->zstd, &out, &in, end ? ZSTD_e_end : ZSTD_e_continue);
        if (ZSTD_isError(left))
            return err_set(e, -EIO, "could not compress: %s", ZSTD_getErrorName(left));
        int r = sink(data, c->out, out.pos, e);
        if (r < 0)
            return r;
        if (end ? !left : in.pos == in.size)
            return 0;
    }
}

static int write_gzip(struct compressor *c, const void *bytes, size_t len, bool end, compressor_sink *sink, void *data,
                      struct err *e) {
    c->gzip.next_in = bytes;
    c->gzip.avail_in = (uInt)len;
    do {
        c->gzip.next_out = c->out;
        c->gzip.avail_out = (uInt)sizeof(c->out);
        if (deflate(&c->gzip, end ? Z_FINISH : Z_NO_FLUSH) == Z_STREAM_ERROR)
            return err_set(e, -EIO, "could not compress");
        int r = sink(data, c->out, sizeof(c->out) - c->gzip.avail_out, e);
        if (r < 0)
            return r;
    } while (!c->gzip.avail_out);
    return end && deflateReset(&c->gzip) != Z_OK ? err_set(e, -EIO, "could not compress") : 0;
}

/* CRC32: the kernel's reader knows no other check. */
static int begin_xz(struct compressor *c, struct err *e) {
    lzma_options_lzma options;

    if (lzma_lzma_preset(&options, XZ_PRESET))
        return err_set(e, -EIO, "could not start the compression");
    options.dict_size = XZ_DICTIONARY;
    const lzma_filter filters[] = {{.id = LZMA_FILTER_LZMA2, .options = &options}, {.id = LZMA_VLI_UNKNOWN}};
    return lzma_stream_encoder(&c->xz, filters, LZMA_CHECK_CRC32) == LZMA_OK
               ? 0
               : err_errno(e, -ENOMEM, "could not start the compression");
}

static int write_xz(struct compressor *c, const void *bytes, size_t len, bool end, compressor_sink *sink, void *data,
                    struct err *e) {
    int r = c->begun ? 0 : begin_xz(c, e);

    if (r < 0)
        return r;
    c->xz.next_in = bytes;
    c->xz.avail_in = len;
    do {
        c->xz.next_out = c->out;
        c->xz.avail_out = sizeof(c->out);
        lzma_ret status = lzma_code(&c->xz, end ? LZMA_FINISH : LZMA_RUN);
        if (status != LZMA_OK && status != LZMA_STREAM_END && status != LZMA_BUF_ERROR)
            return err_set(e, -EIO, "could not compress");
        r = sink(data, c->out, sizeof(c->out) - c->xz.avail_out, e);
        if (r < 0)
            return r;
    } while (!c->xz.avail_out || c->xz.avail_in);
    return 0;
}

int compressor_write(struct compressor *c, const void *data, size_t len, bool end, compressor_sink *sink,
                     void *sink_data, struct err *e) {
    int r;

    if (c->how == COMPRESS_ZSTD)
        r = write_zstd(c, (ZSTD_inBuffer){.src = data, .size = len}, end, sink, sink_data, e);
    else if (c->how == COMPRESS_GZIP)
        r = write_gzip(c, data, len, end, sink, sink_data, e);
    else if (c->how == COMPRESS_XZ)
        r = write_xz(c, data, len, end, sink, sink_data, e);
    else
        r = sink(sink_data, data, len, e);
    c->begun = !end;
    return r;
}

void compressor_free(struct compressor *c) {
    (void)ZSTD_freeCCtx(c->zstd);
    if (c->how == COMPRESS_GZIP)
        (void)deflateEnd(&c->gzip);
    lzma_end(&c->xz);
    free(c);
}
