/* SPDX-License-Identifier: Apache-2.0 */
/* Entries -> PAX tar (libarchive) -> sha256 (diff id) -> zstd -> blob. Nothing depends on the clock or the host. */
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <string.h>
#include <zstd.h>

#include "tools/image/blob.h"
#include "tools/image/image.h"
#include "tools/image/tar.h"

#define LAYER_ZSTD_LEVEL 3

struct layer_writer {
    struct archive *tar;
    EVP_MD_CTX *diff_hash;
    ZSTD_CCtx *zstd;
    struct blob_writer blob;
    struct err err; /* of the write callback */
    char out[65536];
};

static int compress(struct layer_writer *w, const void *data, size_t len, ZSTD_EndDirective end) {
    ZSTD_inBuffer in = {data, len, 0};
    size_t left;

    do {
        ZSTD_outBuffer out = {w->out, sizeof(w->out), 0};
        left = ZSTD_compressStream2(w->zstd, &out, &in, end);
        if (ZSTD_isError(left))
            return err_set(&w->err, -EIO, "could not compress a layer: %s", ZSTD_getErrorName(left));
        int r = blob_writer_write(&w->blob, w->out, out.pos, &w->err);
        if (r < 0)
            return r;
    } while (end == ZSTD_e_end ? left != 0 : in.pos < in.size);
    return 0;
}

static la_ssize_t on_tar_bytes(struct archive *a, void *data, const void *bytes, size_t len) {
    struct layer_writer *w = data;
    int r = 0;

    if (EVP_DigestUpdate(w->diff_hash, bytes, len) != 1)
        r = err_set(&w->err, -EIO, "could not hash a layer");
    if (!r)
        r = compress(w, bytes, len, ZSTD_e_continue);
    if (r < 0) {
        archive_set_error(a, -r, "%s", w->err.msg);
        return -1;
    }
    return (la_ssize_t)len;
}

static int open_tar(struct layer_writer *w) {
    return archive_write_set_format_pax_restricted(w->tar) == ARCHIVE_OK &&
                   archive_write_set_options(w->tar, "hdrcharset=BINARY") == ARCHIVE_OK &&
                   archive_write_set_bytes_in_last_block(w->tar, 1) == ARCHIVE_OK &&
                   archive_write_open(w->tar, w, NULL, on_tar_bytes, NULL) == ARCHIVE_OK
               ? 0
               : -EIO;
}

int layer_writer_new(const char *cache_dir, struct layer_writer **out, struct err *e) {
    struct layer_writer *w = calloc(1, sizeof(*w));

    if (!w)
        return err_errno(e, -ENOMEM, "could not write a layer");
    int r = blob_writer_open(&w->blob, cache_dir, e);
    if (r < 0) {
        free(w);
        return r;
    }
    w->tar = archive_write_new();
    w->diff_hash = digest_new();
    w->zstd = ZSTD_createCCtx();
    if (!w->tar || !w->diff_hash || !w->zstd ||
        ZSTD_isError(ZSTD_CCtx_setParameter(w->zstd, ZSTD_c_compressionLevel, LAYER_ZSTD_LEVEL)) || open_tar(w) < 0) {
        layer_writer_abort(w);
        return err_errno(e, -ENOMEM, "could not write a layer");
    }
    *out = w;
    return 0;
}

int layer_writer_add(struct layer_writer *w, const struct entry *entry, const struct entry_content *content,
                     struct err *e) {
    int r = tar_write_entry(w->tar, entry, content, e);

    return r < 0 && w->err.code ? err_set(e, w->err.code, "%s", w->err.msg) : r;
}

int layer_writer_finish(struct layer_writer *w, struct layer_desc *desc, struct err *e) {
    int r = archive_write_close(w->tar) == ARCHIVE_OK ? 0 : tar_error(w->tar, "a layer's end", e);

    if (!r)
        r = compress(w, NULL, 0, ZSTD_e_end);
    if (r < 0 && w->err.code)
        (void)err_set(e, r, "%s", w->err.msg);
    if (!r)
        r = digest_final(w->diff_hash, desc->diff_id, e);
    if (!r)
        r = blob_writer_finish(&w->blob, desc->digest, &desc->size, e);
    layer_writer_abort(w);
    return r;
}

void layer_writer_abort(struct layer_writer *w) {
    if (!w)
        return;
    if (w->tar)
        (void)archive_write_free(w->tar);
    EVP_MD_CTX_free(w->diff_hash);
    (void)ZSTD_freeCCtx(w->zstd);
    blob_writer_abort(&w->blob);
    free(w);
}
