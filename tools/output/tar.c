/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tar: the whole tree as a PAX archive. Every entry says in LINUXKIT.source and LINUXKIT.location where it comes from;
 * libarchive writes no records of one's own, so headers are made here.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/buf.h"
#include "lib/fdutil.h"
#include "lib/utf8.h"
#include "tools/image/content.h"
#include "tools/output/program.h"
#include "tools/output/tar.h"

#define BLOCK 512
#define RC_INIT "bin/rc.init"
#define OCTAL_7_MAX 07777777U
#define OCTAL_11_MAX 077777777777LL

struct tar {
    struct output base;
    struct stream *stream;
    bool docker, rc_init; /* a Dockerfile comes last; there is RC_INIT */
};

struct ustar {
    char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], sum[8], type, link[100], magic[6], version[2];
    char user[32], group[32], dev_major[8], dev_minor[8], prefix[155], pad[12];
};
_Static_assert(sizeof(struct ustar) == BLOCK, "a tar header is one block");

static bool is_plain(const char *s, size_t max) {
    size_t len = strlen(s);

    for (size_t i = 0; i < len; i++)
        if ((unsigned char)s[i] >= 0x80)
            return false;
    return len <= max;
}

/* "LEN KEY=VALUE\n", where LEN counts itself. */
static int record(struct buf *b, const char *key, const void *value, size_t len) {
    size_t rest = strlen(key) + len + 3, total = rest + 1;

    while ((size_t)snprintf(NULL, 0, "%zu", total) + rest != total)
        total = (size_t)snprintf(NULL, 0, "%zu", total) + rest;
    int r = buf_printf(b, "%zu %s=", total, key);
    if (!r)
        r = buf_append(b, value, len);
    return r ? r : buf_puts(b, "\n");
}

static int text_record(struct buf *b, const char *key, const char *value) {
    return record(b, key, value, strlen(value));
}

static int number_record(struct buf *b, const char *key, int64_t value) {
    char text[24];

    (void)snprintf(text, sizeof(text), "%lld", (long long)value);
    return text_record(b, key, text);
}

static int records(struct buf *b, const struct entry *entry, const struct origin *origin) {
    int r = origin ? text_record(b, "LINUXKIT.location", origin->location) : 0;

    if (!r && origin)
        r = text_record(b, "LINUXKIT.source", origin->source);
    for (size_t i = 0; i < entry->xattrs_len && !r; i++) {
        char key[320];
        (void)snprintf(key, sizeof(key), "SCHILY.xattr.%s", entry->xattrs[i].name);
        r = record(b, key, entry->xattrs[i].value, entry->xattrs[i].len);
    }
    if (!r && entry->gid > OCTAL_7_MAX)
        r = number_record(b, "gid", entry->gid);
    if (!r && ((entry->link && !is_utf8(entry->link)) || !is_utf8(entry->path)))
        r = text_record(b, "hdrcharset", "BINARY"); /* else bsdtar fails with a record that is no UTF-8 */
    if (!r && entry->link && !is_plain(entry->link, 100))
        r = text_record(b, "linkpath", entry->link);
    if (!r && (entry->mtime < 0 || entry->mtime > OCTAL_11_MAX))
        r = number_record(b, "mtime", entry->mtime);
    if (!r && !is_plain(entry->path, 99))
        r = text_record(b, "path", entry->path);
    if (!r && entry->type == ENTRY_FILE && entry->size > (uint64_t)OCTAL_11_MAX)
        r = number_record(b, "size", (int64_t)entry->size);
    return !r && entry->uid > OCTAL_7_MAX ? number_record(b, "uid", entry->uid) : r;
}

static void octal(char *field, size_t size, uint64_t value) {
    char text[32];

    (void)snprintf(text, sizeof(text), "%0*llo", (int)size - 1, (unsigned long long)value);
    if (strlen(text) < size)
        memcpy(field, text, size); /* what does not fit has its PAX record */
}

static void name_field(char *field, const char *s, bool slash) {
    size_t len = strnlen(s, 100);

    memcpy(field, s, len);
    if (slash && len < 100)
        field[len] = '/';
}

static int write_header(struct stream *s, const struct entry *entry, char type, struct err *e) {
    struct ustar h = {.type = type, .magic = "ustar", .version = {'0', '0'}};
    unsigned sum = 0;

    name_field(h.name, entry->path, entry->type == ENTRY_DIR);
    if (entry->link)
        name_field(h.link, entry->link, false);
    octal(h.mode, sizeof(h.mode), entry->mode & 07777);
    octal(h.uid, sizeof(h.uid), entry->uid);
    octal(h.gid, sizeof(h.gid), entry->gid);
    octal(h.size, sizeof(h.size), entry->type == ENTRY_FILE ? entry->size : 0);
    octal(h.mtime, sizeof(h.mtime), entry->mtime < 0 ? 0 : (uint64_t)entry->mtime);
    octal(h.dev_major, sizeof(h.dev_major), entry->dev_major);
    octal(h.dev_minor, sizeof(h.dev_minor), entry->dev_minor);
    memset(h.sum, ' ', sizeof(h.sum));
    for (size_t i = 0; i < sizeof(h); i++)
        sum += ((const unsigned char *)&h)[i];
    octal(h.sum, 7, sum);
    return stream_write(s, &h, sizeof(h), e);
}

static int write_pax(struct stream *s, const struct entry *entry, const struct origin *origin, struct err *e) {
    AUTO_BUF struct buf pax = BUF_INIT;

    if (records(&pax, entry, origin) < 0)
        return err_errno(e, -ENOMEM, "could not store %s", entry->path);
    if (!pax.len)
        return 0;
    const struct entry extra = {.type = ENTRY_FILE, .path = "PaxHeaders.0/entry", .mode = 0644, .size = pax.len};
    int r = write_header(s, &extra, 'x', e);
    if (!r)
        r = stream_write(s, pax.data, pax.len, e);
    return r ? r : stream_pad(s, BLOCK, e);
}

int tar_put(struct stream *s, const struct entry *entry, const struct entry_content *content,
            const struct origin *origin, struct err *e) {
    static const char types[] = {
        [ENTRY_FILE] = '0', [ENTRY_DIR] = '5',   [ENTRY_SYMLINK] = '2', [ENTRY_HARDLINK] = '1',
        [ENTRY_CHAR] = '3', [ENTRY_BLOCK] = '4', [ENTRY_FIFO] = '6',
    };
    int r = write_pax(s, entry, origin, e);

    if (!r)
        r = write_header(s, entry, types[entry->type], e);
    if (!r && entry->type == ENTRY_FILE)
        r = stream_copy(s, content, entry->size, entry->path, e);
    return r ? r : stream_pad(s, BLOCK, e);
}

int tar_put_file(struct stream *s, const char *name, const char *path, struct err *e) {
    AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;

    if (fd < 0 || fstat(fd, &st) < 0)
        return err_errno(e, -errno, "could not read %s", path);
    struct content_source source = content_fd(path, fd);
    const struct entry_content content = {.read = content_read, .ctx = &source};
    const struct entry entry = {
        .type = ENTRY_FILE, .path = name, .mode = 0644, .size = (uint64_t)st.st_size, .mtime = IMAGE_TIME};
    return tar_put(s, &entry, &content, NULL, e);
}

int tar_end(struct stream *s, struct err *e) {
    static const char end[2 * BLOCK];
    int r = stream_write(s, end, sizeof(end), e);

    return r ? r : stream_end(s, e);
}

static int add(struct output *o, const struct entry *entry, const struct entry_content *content,
               const struct origin *origin, struct err *e) {
    struct tar *t = (struct tar *)o;
    struct entry named = *entry;

    if (entry->spelling)
        named.path = entry->spelling;
    if (t->docker && !strcmp(entry->path, RC_INIT))
        t->rc_init = true;
    return tar_put(t->stream, &named, content, origin, e);
}

/* What `docker build` makes an image of; it has LinuxKit's entry point only if that is there. */
static int add_dockerfile(struct tar *t, struct err *e) {
    const char *text = t->rc_init ? "FROM scratch\nCOPY . ./\nENTRYPOINT [\"/" RC_INIT "\"]\n"
                                  : "FROM scratch\nCOPY . ./\nENTRYPOINT [\"/init\"]\n";
    struct content_source source = content_text("Dockerfile", text, strlen(text));
    const struct entry_content content = {.read = content_read, .ctx = &source};
    const struct entry entry = {
        .type = ENTRY_FILE, .path = "Dockerfile", .mode = 0644, .size = strlen(text), .mtime = IMAGE_TIME};

    return tar_put(t->stream, &entry, &content, NULL, e);
}

static int finish(struct output *o, struct err *e) {
    struct tar *t = (struct tar *)o;
    int r = t->docker ? add_dockerfile(t, e) : 0;

    return r ? r : tar_end(t->stream, e);
}

static int commit(struct output *o, struct err *e) {
    return stream_commit(((struct tar *)o)->stream, e);
}

static void free_tar(struct output *o) {
    struct tar *t = (struct tar *)o;

    if (t->stream)
        stream_free(t->stream);
    free(t);
}

int output_tar_new(const char *path, bool docker, struct output **out, struct err *e) {
    static const struct output_type type = {.add = add, .finish = finish, .commit = commit, .free = free_tar};
    struct tar *t = calloc(1, sizeof(*t));

    if (!t)
        return err_errno(e, -ENOMEM, "could not write %s", path);
    t->base.type = &type;
    t->docker = docker;
    int r = stream_open(path, &t->stream, e);
    if (r < 0)
        free_tar(&t->base);
    else
        *out = &t->base;
    return r;
}
