/* SPDX-License-Identifier: Apache-2.0 */
#include "memlogd/compress.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <zstd.h>

#include "lib/fdutil.h"

#define CHUNK 65536

static void free_context(ZSTD_CCtx **c) {
    (void)ZSTD_freeCCtx(*c);
}

bool compress_available(void) {
    return true;
}

/* One chunk of input, or the end of it. */
static int compress_chunk(ZSTD_CCtx *c, ZSTD_inBuffer *in, bool last, int to) {
    static char data[CHUNK];
    size_t left;

    do {
        ZSTD_outBuffer out = {data, sizeof(data), 0};
        left = ZSTD_compressStream2(c, &out, in, last ? ZSTD_e_end : ZSTD_e_continue);
        if (ZSTD_isError(left))
            return -ENOMEM; /* nothing else can go wrong */
        int r = write_full(to, data, out.pos);
        if (r < 0)
            return r;
    } while (last ? left > 0 : in->pos < in->size);
    return 0;
}

static int compress_all(int from, int to) {
    static char data[CHUNK];
    AUTO(free_context) ZSTD_CCtx *c = ZSTD_createCCtx();
    struct stat st;
    ssize_t n;

    if (!c)
        return -ENOMEM;
    /* A size that is known makes for a window that is not larger. */
    if (fstat(from, &st) == 0)
        (void)ZSTD_CCtx_setPledgedSrcSize(c, (unsigned long long)st.st_size);
    (void)ZSTD_CCtx_setParameter(c, ZSTD_c_checksumFlag, 1);
    do {
        n = read_full(from, data, sizeof(data));
        ZSTD_inBuffer in = {data, n < 0 ? 0 : (size_t)n, 0};
        int r = n < 0 ? (int)n : compress_chunk(c, &in, n < CHUNK, to);
        if (r < 0)
            return r;
    } while (n == CHUNK);
    return 0;
}

int compress_file(const char *from, const char *to, bool sync, struct err *e) {
    char aside[PATH_MAX];
    int n = snprintf(aside, sizeof(aside), "%s.new", to);

    if (n < 0 || n >= PATH_MAX)
        return err_errno(e, -ENAMETOOLONG, "could not compress %s", from);
    AUTO_CLOSE int in = open(from, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (in < 0)
        return err_errno(e, -errno, "could not compress %s", from);
    (void)unlink(aside);
    AUTO_CLOSE int out = open(aside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    int r = out < 0 ? -errno : compress_all(in, out);
    if (!r && sync && fsync(out) < 0)
        r = -errno;
    if (!r && rename(aside, to) < 0)
        r = -errno;
    if (r < 0)
        (void)unlink(aside);
    return r < 0 ? err_errno(e, r, "could not compress %s", from) : 0;
}
