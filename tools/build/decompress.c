/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/build/decompress.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <string.h>

#include "lib/fdutil.h"
#include "lib/little.h"
#include "lib/temp.h"

#define CHUNK ((size_t)64 << 10)
/* Documentation/x86/boot.rst of the kernel: the setup header */
#define SETUP_SECTORS 0x1f1
#define HEADER_MAGIC 0x202
#define HEADER_VERSION 0x206
#define PAYLOAD_OFFSET 0x248
#define PAYLOAD_LENGTH 0x24c
#define HEADER_END 0x250
#define VERSION_WITH_PAYLOAD 0x208
#define SECTOR 512

static int copy_in(const struct entry_content *content, FILE *f, struct err *e) {
    AUTO_FREE char *chunk = malloc(CHUNK);
    ssize_t n = 0;

    while (chunk && (n = content->read(content->ctx, chunk, CHUNK, e)) > 0)
        if (fwrite(chunk, 1, (size_t)n, f) != (size_t)n)
            return err_errno(e, -EIO, "could not write a temporary file");
    if (!chunk)
        return err_errno(e, -ENOMEM, "could not read the kernel");
    return n < 0 ? (int)n : fflush(f) ? err_errno(e, -EIO, "could not write a temporary file") : 0;
}

/* Where the compressed part is. */
static int find_payload(FILE *f, long *offset, uint64_t *len, struct err *e) {
    unsigned char head[HEADER_END];
    long size = fseek(f, 0, SEEK_END) == 0 ? ftell(f) : -1;

    *offset = 0;
    *len = size > 0 ? (uint64_t)size : 0;
    if (size < HEADER_END || fseek(f, 0, SEEK_SET) != 0 || fread(head, sizeof(head), 1, f) != 1 ||
        memcmp(head + HEADER_MAGIC, "HdrS", 4) != 0)
        return 0;
    if (little_get(head + HEADER_VERSION, 2) < VERSION_WITH_PAYLOAD)
        return err_set(e, -EINVAL, "could not decompress the kernel: its boot protocol is too old");
    uint32_t sectors = head[SETUP_SECTORS] ? head[SETUP_SECTORS] : 4;
    uint64_t at = little_get(head + PAYLOAD_OFFSET, 4) + (uint64_t)(sectors + 1) * SECTOR;
    *len = little_get(head + PAYLOAD_LENGTH, 4);
    if (at + *len > (uint64_t)size)
        return err_set(e, -EINVAL, "could not decompress the kernel: its payload goes beyond its end");
    *offset = (long)at;
    return 0;
}

struct payload {
    FILE *f;
    uint64_t left;
    unsigned char chunk[CHUNK];
};

static la_ssize_t read_payload(struct archive *a, void *data, const void **bytes) {
    struct payload *p = data;
    size_t n = fread(p->chunk, 1, p->left < CHUNK ? (size_t)p->left : CHUNK, p->f);

    (void)a;
    p->left -= n;
    *bytes = p->chunk;
    return (la_ssize_t)n;
}

/* bzImage's payload has four more bytes behind its stream: the size of what is in it. A reader may stumble over them.
 */
static int copy_out(struct archive *a, FILE *out, uint64_t *size, struct err *e) {
    AUTO_FREE char *chunk = malloc(CHUNK);
    la_ssize_t n = 0;

    if (!chunk)
        return err_errno(e, -ENOMEM, "could not decompress the kernel");
    while (*size < KERNEL_MAX && (n = archive_read_data(a, chunk, CHUNK)) > 0) {
        if (fwrite(chunk, 1, (size_t)n, out) != (size_t)n)
            return err_errno(e, -EIO, "could not write a temporary file");
        *size += (uint64_t)n;
    }
    if (n < 0 || *size >= KERNEL_MAX)
        return err_set(e, -EBADMSG, "could not decompress the kernel: %s", n < 0 ? archive_error_string(a) : "too big");
    return fflush(out) || fseek(out, 0, SEEK_SET) ? err_errno(e, -EIO, "could not write a temporary file") : 0;
}

static int open_payload(struct archive *a, struct payload *p, struct err *e) {
    struct archive_entry *entry;

    if (archive_read_support_filter_gzip(a) != ARCHIVE_OK || archive_read_support_filter_xz(a) != ARCHIVE_OK ||
        archive_read_support_filter_zstd(a) != ARCHIVE_OK || archive_read_support_filter_lz4(a) != ARCHIVE_OK ||
        archive_read_support_filter_lzma(a) != ARCHIVE_OK || archive_read_support_filter_bzip2(a) != ARCHIVE_OK ||
        archive_read_support_format_raw(a) != ARCHIVE_OK)
        return err_errno(e, -ENOMEM, "could not decompress the kernel");
    if (archive_read_open(a, p, NULL, read_payload, NULL) != ARCHIVE_OK ||
        archive_read_next_header(a, &entry) != ARCHIVE_OK)
        return err_set(e, -EBADMSG, "could not decompress the kernel: %s", archive_error_string(a));
    if (archive_filter_count(a) < 2)
        return err_set(e, -EINVAL,
                       "could not decompress the kernel: it is neither compressed nor a bzImage; leave "
                       "--decompress-kernel out");
    return 0;
}

/* The size of what is in it stands behind a bzImage's payload, where a reader may stumble over it; gzip has its own. */
static void leave_size_out(struct payload *p, long offset) {
    int first = offset > 0 ? fgetc(p->f) : EOF;

    if (first != EOF && ungetc(first, p->f) != EOF && first != 0x1f && p->left > 4)
        p->left -= 4;
}

static int expand(FILE *in, FILE *out, uint64_t *size, struct err *e) {
    AUTO_FREE struct payload *p = calloc(1, sizeof(*p));
    struct archive *a = archive_read_new();
    long offset = 0;
    int r = p && a ? find_payload(in, &offset, &p->left, e) : err_errno(e, -ENOMEM, "could not decompress the kernel");

    if (!r && fseek(in, offset, SEEK_SET) != 0)
        r = err_errno(e, -errno, "could not read a temporary file");
    if (!r) {
        p->f = in;
        leave_size_out(p, offset);
        r = open_payload(a, p, e);
    }
    if (!r)
        r = copy_out(a, out, size, e);
    (void)archive_read_free(a);
    return r;
}

int kernel_decompress(const struct entry_content *content, FILE **out, uint64_t *size, struct err *e) {
    AUTO_FCLOSE FILE *in = NULL, *to = NULL;
    int r = temp_unnamed_stream(&in, e);

    *size = 0;
    if (!r)
        r = temp_unnamed_stream(&to, e);
    if (!r)
        r = copy_in(content, in, e);
    if (!r)
        r = expand(in, to, size, e);
    *out = r ? NULL : steal_ptr(&to);
    return r;
}
