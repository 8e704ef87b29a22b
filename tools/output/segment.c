/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/output/segment.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "lib/fdutil.h"
#include "lib/temp.h"
#include "tools/output/cpio.h"
#include "tools/output/listing.h"

#define MAGIC "keelseg1"
#define DIGEST 32
#define CHUNK ((size_t)64 << 10)

/* The end of the file, in this machine's byte order: the cache is no one else's. */
struct tail {
    char magic[8];
    uint64_t size[SEGMENT_FILES];
    unsigned char digest[DIGEST]; /* of all that comes before it */
};

struct segment_output {
    struct output base;
    int fd;
    enum compression compression;
    FILE *aside[SEGMENT_FILES]; /* what comes behind the archive; without names */
    struct stream *initrd;
    struct cpio cpio;
    bool used; /* the archive has an entry */
    EVP_MD_CTX *sha1;
    segment_keep_fn *keep;
    const void *keep_data;
};

static int open_aside(struct segment_output *s, enum segment_file which, struct err *e) {
    if (s->aside[which])
        return err_set(e, -EEXIST, "could not keep a part: there are two kernels in it");
    return temp_unnamed_stream(&s->aside[which], e);
}

static int take_file(struct segment_output *s, enum segment_file which, const struct entry *entry,
                     const struct entry_content *content, struct err *e) {
    AUTO_STREAM struct stream *to = NULL;
    int r = open_aside(s, which, e);

    if (!r)
        r = stream_open_fd(fileno(s->aside[which]), &to, e);
    if (!r)
        r = stream_copy(to, content, entry->size, entry->path, e);
    return r ? r : stream_end(to, e);
}

int segment_output_note(struct output *o, const void *data, size_t len, struct err *e) {
    struct segment_output *s = (struct segment_output *)o;
    int r = open_aside(s, SEGMENT_NOTE, e);

    if (!r && (r = write_full(fileno(s->aside[SEGMENT_NOTE]), data, len)) < 0)
        r = err_errno(e, r, "could not keep a note");
    return r;
}

/* What is in no initrd is read for the list all the same. */
static int pass_by(const struct entry *entry, const struct entry_content *content, struct err *e) {
    AUTO_FREE char *chunk = malloc(CHUNK);
    ssize_t n = chunk ? 0 : err_errno(e, -ENOMEM, "could not read %s", entry->path);

    while (chunk && entry->type == ENTRY_FILE && (n = content->read(content->ctx, chunk, CHUNK, e)) > 0)
        ;
    return (int)n;
}

static int put(struct segment_output *s, const struct entry *entry, const struct entry_content *content,
               struct err *e) {
    if (!strcmp(entry->path, BOOT_KERNEL))
        return take_file(s, SEGMENT_KERNEL, entry, content, e);
    if (!strcmp(entry->path, BOOT_UCODE))
        return take_file(s, SEGMENT_UCODE, entry, content, e);
    if (below_boot(entry->path))
        return pass_by(entry, content, e);
    int r = s->used ? 0 : stream_compress(s->initrd, s->compression, e);
    s->used = true;
    return r ? r : cpio_add(&s->cpio, entry, content, e);
}

/* Contents on their way: hashed, and kept if they are to be in the list. */
struct tee {
    const struct entry_content *from;
    EVP_MD_CTX *hash;
    struct buf *kept; /* NULL: not wanted */
};

static ssize_t read_tee(void *ctx, void *data, size_t len, struct err *e) {
    const struct tee *t = ctx;
    ssize_t n = t->from->read(t->from->ctx, data, len, e);

    if (n > 0 && EVP_DigestUpdate(t->hash, data, (size_t)n) != 1)
        return err_set(e, -EIO, "could not hash");
    if (n > 0 && t->kept && buf_append(t->kept, data, (size_t)n) < 0)
        return err_set(e, -EFBIG, "a package database is larger than %zu bytes", t->kept->max);
    return n;
}

static int put_file(struct segment_output *s, struct entry entry, const struct entry_content *content, struct err *e) {
    AUTO_BUF struct buf kept = {.max = SEGMENT_KEEP_MAX};
    unsigned char sha1[LISTING_SHA1];
    struct tee tee = {.from = content, .hash = s->sha1, .kept = s->keep(s->keep_data, &entry) ? &kept : NULL};
    const struct entry_content both = {.read = read_tee, .ctx = &tee};
    int r = EVP_DigestInit_ex(s->sha1, EVP_sha1(), NULL) == 1 ? 0 : err_errno(e, -ENOMEM, "could not start sha1");

    if (!r)
        r = put(s, &entry, &both, e);
    if (!r && EVP_DigestFinal_ex(s->sha1, sha1, NULL) != 1)
        r = err_set(e, -EIO, "could not finish sha1");
    entry.sha1 = sha1;
    return r ? r : listing_write(s->aside[SEGMENT_LIST], &entry, tee.kept, e);
}

static int add(struct output *o, const struct entry *entry, const struct entry_content *content,
               const struct origin *origin, struct err *e) {
    struct segment_output *s = (struct segment_output *)o;
    int r = s->aside[SEGMENT_LIST] ? 0 : open_aside(s, SEGMENT_LIST, e);

    (void)origin;
    if (!r && entry->type == ENTRY_FILE)
        return put_file(s, *entry, content, e);
    if (!r)
        r = put(s, entry, content, e);
    return r ? r : listing_write(s->aside[SEGMENT_LIST], entry, NULL, e);
}

/* The digest of the first len bytes. */
static int digest(int fd, uint64_t len, unsigned char out[DIGEST], struct err *e) {
    AUTO_FREE char *chunk = malloc(CHUNK);
    EVP_MD_CTX *hash = EVP_MD_CTX_new();
    int r = chunk && hash && EVP_DigestInit_ex(hash, EVP_sha256(), NULL) == 1 && lseek(fd, 0, SEEK_SET) == 0
                ? 0
                : err_errno(e, -ENOMEM, "could not start sha256");

    while (!r && len > 0) {
        ssize_t n = read_full(fd, chunk, len < CHUNK ? (size_t)len : CHUNK);
        if (n <= 0 || EVP_DigestUpdate(hash, chunk, (size_t)n) != 1)
            r = n < 0 ? err_errno(e, (int)n, "could not read it") : err_set(e, -EBADMSG, "it is cut off");
        else
            len -= (uint64_t)n;
    }
    if (!r && EVP_DigestFinal_ex(hash, out, NULL) != 1)
        r = err_set(e, -EIO, "could not finish sha256");
    EVP_MD_CTX_free(hash);
    return r;
}

static int write_tail(int fd, struct tail *tail, struct err *e) {
    off_t end = lseek(fd, 0, SEEK_END);
    int r = end < 0 ? err_errno(e, -errno, "could not keep a part") : 0;

    memcpy(tail->magic, MAGIC, sizeof(tail->magic));
    r = r ? r : write_full(fd, tail, sizeof(*tail) - DIGEST);
    if (!r)
        r = digest(fd, (uint64_t)end + sizeof(*tail) - DIGEST, tail->digest, e);
    if (!r && (r = write_full(fd, tail->digest, DIGEST)) < 0)
        r = err_errno(e, r, "could not keep a part");
    return r;
}

static int finish(struct output *o, struct err *e) {
    struct segment_output *s = (struct segment_output *)o;
    struct tail tail = {0};
    int r = s->used ? cpio_end(&s->cpio, e) : 0;

    if (!r && s->used)
        r = stream_end(s->initrd, e);
    off_t end = lseek(s->fd, 0, SEEK_CUR);
    tail.size[SEGMENT_INITRD] = s->used && end > 0 ? (uint64_t)end : 0;
    for (size_t i = 0; i < SEGMENT_FILES && !r; i++) {
        off_t size = s->aside[i] && fflush(s->aside[i]) == 0 ? lseek(fileno(s->aside[i]), 0, SEEK_END) : 0;
        if (size < 0 || (s->aside[i] && ferror(s->aside[i])))
            return err_set(e, -EIO, "could not write a temporary file");
        if (!size)
            continue;
        tail.size[i] = (uint64_t)size;
        r = stream_append(s->initrd, fileno(s->aside[i]), 0, (uint64_t)size, e);
    }
    return r ? r : write_tail(s->fd, &tail, e);
}

static void free_segment(struct output *o) {
    struct segment_output *s = (struct segment_output *)o;

    for (size_t i = 0; i < SEGMENT_FILES; i++)
        if (s->aside[i])
            (void)fclose(s->aside[i]);
    if (s->initrd)
        stream_free(s->initrd);
    cpio_fini(&s->cpio);
    EVP_MD_CTX_free(s->sha1);
    free(s);
}

int segment_output_new(int fd, enum compression compression, segment_keep_fn *keep, const void *data,
                       struct output **out, struct err *e) {
    static const struct output_type type = {.add = add, .finish = finish, .free = free_segment};
    struct segment_output *s = calloc(1, sizeof(*s));

    if (!s)
        return err_errno(e, -ENOMEM, "could not keep a part");
    s->base.type = &type;
    s->fd = fd;
    s->compression = compression;
    s->keep = keep;
    s->keep_data = data;
    s->sha1 = EVP_MD_CTX_new();
    int r = s->sha1 ? stream_open_fd(fd, &s->initrd, e) : err_errno(e, -ENOMEM, "could not keep a part");
    cpio_init(&s->cpio);
    if (!r)
        cpio_begin(&s->cpio, s->initrd);
    if (r < 0)
        free_segment(&s->base);
    else
        *out = &s->base;
    return r;
}

static uint64_t offset_of(const struct segment *s, enum segment_file which) {
    uint64_t at = 0;

    for (size_t i = 0; i < (size_t)which; i++)
        at += s->size[i];
    return at;
}

int segment_open(int fd, struct segment *s, struct err *e) {
    unsigned char found[DIGEST];
    struct tail tail;
    off_t end = lseek(fd, 0, SEEK_END), body = end - (off_t)sizeof(tail);

    *s = (struct segment){.fd = fd};
    if (end < (off_t)sizeof(tail) || lseek(fd, body, SEEK_SET) < 0 ||
        read_full(fd, &tail, sizeof(tail)) != (ssize_t)sizeof(tail) ||
        memcmp(tail.magic, MAGIC, sizeof(tail.magic)) != 0)
        return err_set(e, -EBADMSG, "it is no part of an initrd");
    int r = digest(fd, (uint64_t)end - DIGEST, found, e);
    if (!r && memcmp(found, tail.digest, DIGEST) != 0)
        r = err_set(e, -EBADMSG, "its contents do not have the digest that it was written with");
    memcpy(s->size, tail.size, sizeof(s->size));
    if (!r && offset_of(s, SEGMENT_FILES) != (uint64_t)body)
        r = err_set(e, -EBADMSG, "its table does not fit its size");
    return r;
}

int segment_append(const struct segment *s, enum segment_file which, struct stream *to, struct err *e) {
    return stream_append(to, s->fd, offset_of(s, which), s->size[which], e);
}

int segment_each(const struct segment *s, entry_fn *fn, void *data, struct err *e) {
    int fd = fcntl(s->fd, F_DUPFD_CLOEXEC, 0);
    AUTO_FCLOSE FILE *f = fd < 0 ? NULL : fdopen(fd, "r");

    if (!f && fd >= 0)
        (void)close(fd);
    if (!f || fseeko(f, (off_t)offset_of(s, SEGMENT_LIST), SEEK_SET) < 0)
        return err_errno(e, -errno, "could not read a list of entries");
    return listing_read(f, s->size[SEGMENT_LIST], fn, data, e);
}

struct listed {
    struct output *output;
    const struct origin *origin;
};

static int add_listed(void *data, const struct entry *entry, const struct entry_content *content, struct err *e) {
    const struct listed *l = data;

    return output_add(l->output, entry, content, l->origin, e);
}

int segment_list(const struct segment *s, struct output *o, const struct origin *origin, struct err *e) {
    struct listed listed = {.output = o, .origin = origin};

    return segment_each(s, add_listed, &listed, e);
}

int segment_read_note(const struct segment *s, struct buf *b, struct err *e) {
    size_t len = (size_t)s->size[SEGMENT_NOTE];
    char *room = len ? buf_reserve(b, len) : NULL;

    if (!len)
        return 0;
    if (!room)
        return err_errno(e, -ENOMEM, "could not hold a note");
    if (lseek(s->fd, (off_t)offset_of(s, SEGMENT_NOTE), SEEK_SET) < 0 || read_full(s->fd, room, len) != (ssize_t)len)
        return err_set(e, -EIO, "could not read a note");
    buf_commit(b, len);
    return 0;
}
