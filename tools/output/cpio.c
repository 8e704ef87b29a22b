/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "tools/output/cpio.h"

/* What cpio(1) reads at a time: so it can be run again for the archive that follows. */
#define CPIO_BLOCK 512
#define TRAILER "TRAILER!!!"

struct header {
    uint32_t ino, mode, uid, gid, nlink, mtime, size, dev_major, dev_minor;
    const char *name;
};

int cpio_init(struct cpio *c, struct stream *stream, struct err *e) {
    *c = (struct cpio){.stream = stream, .linked = json_object()};
    return c->linked ? 0 : err_errno(e, -ENOMEM, "could not start the archive");
}

void cpio_fini(struct cpio *c) {
    json_decref(c->linked);
    c->linked = NULL;
}

static int write_header(struct cpio *c, const struct header *h, struct err *e) {
    char text[6 + 13 * 8 + 1 + 8]; /* and room for a name length of 64 bits, which the compiler thinks of */
    size_t name_len = strlen(h->name) + 1;

    (void)snprintf(text, sizeof(text), "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08zX%08X", h->ino, h->mode,
                   h->uid, h->gid, h->nlink, h->mtime, h->size, 0U, 0U, h->dev_major, h->dev_minor, name_len, 0U);
    int r = stream_write(c->stream, text, 6 + 13 * 8, e);
    if (!r)
        r = stream_write(c->stream, h->name, name_len, e);
    return r ? r : stream_pad(c->stream, 4, e);
}

static mode_t file_type(enum entry_type type) {
    static const mode_t types[] = {
        [ENTRY_FILE] = S_IFREG, [ENTRY_DIR] = S_IFDIR,   [ENTRY_SYMLINK] = S_IFLNK, [ENTRY_HARDLINK] = S_IFREG,
        [ENTRY_CHAR] = S_IFCHR, [ENTRY_BLOCK] = S_IFBLK, [ENTRY_FIFO] = S_IFIFO,
    };

    return types[type];
}

/* Inode and link count. A hard link whose target was not announced to have several names cannot be told the kernel. */
static int number(struct cpio *c, const struct entry *entry, struct header *h, struct err *e) {
    h->ino = ++c->last_ino;
    h->nlink = entry->type == ENTRY_DIR ? 2 : 1;
    if (entry->type == ENTRY_HARDLINK) {
        const json_t *target = json_object_get(c->linked, entry->link);
        if (!target)
            return err_set(e, -ENOTSUP, "could not store %s: it is a hard link to %s, which did not come before it",
                           entry->path, entry->link);
        h->ino = (uint32_t)json_integer_value(target);
        h->nlink = 2;
    } else if (entry->type == ENTRY_FILE && entry->nlink > 1) {
        h->nlink = entry->nlink;
        if (json_object_set_new(c->linked, entry->path, json_integer(h->ino)) < 0)
            return err_errno(e, -ENOMEM, "could not store %s", entry->path);
    }
    return 0;
}

int cpio_add(struct cpio *c, const struct entry *entry, const struct entry_content *content, struct err *e) {
    uint64_t size = entry->type == ENTRY_FILE ? entry->size : entry->type == ENTRY_SYMLINK ? strlen(entry->link) : 0;
    struct header h = {
        .mode = (uint32_t)(file_type(entry->type) | (entry->mode & 07777)),
        .uid = entry->uid,
        .gid = entry->gid,
        .mtime = entry->mtime < 0            ? 0
                 : entry->mtime > UINT32_MAX ? UINT32_MAX
                                             : (uint32_t)entry->mtime,
        .size = (uint32_t)size,
        .name = entry->path,
    };

    if (size > UINT32_MAX)
        return err_set(e, -EFBIG, "could not store %s: an initrd takes files up to 4 GiB only", entry->path);
    if (entry->type == ENTRY_CHAR || entry->type == ENTRY_BLOCK) {
        h.dev_major = entry->dev_major;
        h.dev_minor = entry->dev_minor;
    }
    int r = number(c, entry, &h, e);
    if (!r)
        r = write_header(c, &h, e);
    if (!r && entry->type == ENTRY_SYMLINK)
        r = stream_write(c->stream, entry->link, (size_t)size, e);
    else if (!r && entry->type == ENTRY_FILE)
        r = stream_copy(c->stream, content, size, entry->path, e);
    return r ? r : stream_pad(c->stream, 4, e);
}

int cpio_end(struct cpio *c, struct err *e) {
    const struct header trailer = {.nlink = 1, .name = TRAILER};

    int r = write_header(c, &trailer, e);

    return r ? r : stream_pad(c->stream, CPIO_BLOCK, e);
}
