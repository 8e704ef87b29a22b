/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "lib/fdutil.h"
#include "lib/temp.h"
#include "tools/output/stream.h"

#define CHUNK ((size_t)128 << 10)

struct stream {
    int fd;
    bool borrowed;                 /* the descriptor is somebody else's */
    char *path;                    /* NULL: it has no name */
    char *temporary;               /* NULL: what is written goes where it belongs at once */
    struct compressor *compressor; /* NULL: what is written goes into the file as it is */
    uint64_t written;              /* before compression, since stream_compress() */
    uint64_t stored;
    size_t in_len;
    unsigned char in[CHUNK];
};

static int open_temporary(struct stream *s, const char *path, struct err *e) {
    int r = temp_file_make(path, &s->temporary);

    s->fd = r < 0 ? -1 : r;
    return r < 0 ? err_errno(e, r, "could not create %s", path) : 0;
}

int stream_open_fd(int fd, struct stream **out, struct err *e) {
    struct stream *s = calloc(1, sizeof(*s));

    if (!s)
        return err_errno(e, -ENOMEM, "could not write a file");
    s->fd = fd;
    s->borrowed = true;
    *out = s;
    return 0;
}

int stream_open(const char *path, struct stream **out, struct err *e) {
    AUTO_STREAM struct stream *s = calloc(1, sizeof(*s));

    if (!s)
        return err_errno(e, -ENOMEM, "could not write %s", path);
    s->borrowed = !strcmp(path, "-");
    s->fd = s->borrowed ? STDOUT_FILENO : temp_special_open(path);
    if (!s->borrowed && !(s->path = strdup(path)))
        return err_errno(e, -ENOMEM, "could not write %s", path);
    int r = s->fd == -ENOENT ? open_temporary(s, path, e)
            : s->fd < 0      ? err_errno(e, s->fd, "could not open %s", path)
                             : 0;
    if (!r)
        *out = steal_ptr(&s);
    return r;
}

static int store(struct stream *s, const void *data, size_t len, struct err *e) {
    int r = write_full(s->fd, data, len);

    if (r < 0)
        return err_seal(e, err_errno(e, r, "could not write %s",
                                     s->path                  ? s->path
                                     : s->fd == STDOUT_FILENO ? "to stdout"
                                                              : "a part of the initrd"));
    s->stored += len;
    return 0;
}

static int store_sink(void *data, const void *bytes, size_t len, struct err *e) {
    return store(data, bytes, len, e);
}

static int flush(struct stream *s, bool end, struct err *e) {
    size_t len = s->in_len;

    s->in_len = 0;
    return s->compressor ? compressor_write(s->compressor, s->in, len, end, store_sink, s, e) : store(s, s->in, len, e);
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

static int align(struct stream *s, struct err *e) {
    static const char zeros[4];

    return store(s, zeros, (4 - s->stored % 4) % 4, e);
}

int stream_compress(struct stream *s, enum compression compression, struct err *e) {
    int r = stream_end(s, e);

    if (!r)
        r = align(s, e);
    s->written = 0;
    return r || compression == COMPRESS_NONE ? r : compressor_new(compression, &s->compressor, e);
}

int stream_end(struct stream *s, struct err *e) {
    bool compressed = s->compressor != NULL;
    int r = flush(s, true, e);

    if (compressed)
        compressor_free(s->compressor);
    s->compressor = NULL;
    return r || !compressed ? r : align(s, e);
}

static int copy_chunks(struct stream *s, int fd, uint64_t left, struct err *e) {
    while (left > 0) {
        ssize_t n = read_full(fd, s->in, left < CHUNK ? (size_t)left : CHUNK);
        if (n <= 0)
            return n < 0 ? err_errno(e, (int)n, "could not copy")
                         : err_set(e, -EBADMSG, "could not copy: it is cut off");
        int r = store(s, s->in, (size_t)n, e);
        if (r < 0)
            return r;
        left -= (uint64_t)n;
    }
    return 0;
}

int stream_append(struct stream *s, int fd, uint64_t offset, uint64_t size, struct err *e) {
    off_t from = (off_t)offset;
    uint64_t left = size;
    int r = stream_end(s, e);

    while (!r && left > 0) {
        ssize_t n = copy_file_range(fd, &from, s->fd, NULL, left, 0);
        if (n <= 0)
            break;
        left -= (uint64_t)n;
        s->stored += (uint64_t)n;
    }
    if (!r && left > 0 && lseek(fd, from, SEEK_SET) < 0)
        r = err_errno(e, -errno, "could not copy");
    return r ? r : copy_chunks(s, fd, left, e);
}

int stream_commit(struct stream *s, struct err *e) {
    if (!s->temporary)
        return 0;
    int r = temp_file_rename(s->temporary, s->path);
    if (r < 0)
        return err_errno(e, r, "could not write %s", s->path);
    free(s->temporary);
    s->temporary = NULL;
    return 0;
}

void stream_free(struct stream *s) {
    if (s->temporary)
        temp_file_remove(s->temporary);
    if (s->fd >= 0 && !s->borrowed)
        (void)close(s->fd);
    if (s->compressor)
        compressor_free(s->compressor);
    free(s->temporary);
    free(s->path);
    free(s);
}
