/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/output/cpio.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/array.h"

/* What cpio(1) reads at a time: so it can be run again for the archive that follows. */
#define CPIO_BLOCK 512
#define TRAILER "TRAILER!!!"
#define REMOVED "replaced" /* where a link leads to that is there to be replaced */

struct header {
    uint32_t ino, mode, uid, gid, nlink, mtime, size, dev_major, dev_minor;
    const char *name;
};

/* What has several names, or is a device. */
struct cpio_shared {
    struct header header; /* of its first name */
    const char *link;     /* a symlink's target */
    uint32_t archive;
};

void cpio_init(struct cpio *c) {
    *c = (struct cpio){.names = PATHMAP_INIT};
}

void cpio_begin(struct cpio *c, struct stream *stream) {
    c->stream = stream;
    c->last_ino = 0;
    c->archive = ++c->archives;
}

uint32_t cpio_begin_apart(struct cpio *c) {
    return ++c->archives;
}

void cpio_fini(struct cpio *c) {
    pathmap_free(&c->names);
    free(c->shared);
    cpio_init(c);
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

static const struct cpio_shared *find_shared(const struct cpio *c, const char *path) {
    const struct pathmap_slot *slot = pathmap_find(&c->names, path, strlen(path));

    return slot && slot->number ? &c->shared[slot->number - 1] : NULL;
}

/* What all names of the entry have in common, for those that come later. */
static int share(struct cpio *c, const struct entry *entry, const struct header *h, uint32_t archive) {
    const char *link = entry->type == ENTRY_SYMLINK ? arena_string(&c->names.strings, entry->link) : NULL;

    if (ARRAY_ROOM(c->shared, c->shared_len, c->shared_cap) < 0 || (entry->type == ENTRY_SYMLINK && !link))
        return -ENOMEM;
    struct cpio_shared *s = &c->shared[c->shared_len++];
    *s = (struct cpio_shared){.header = *h, .link = link, .archive = archive};
    s->header.name = NULL;
    return 0;
}

/* The name stands for this entry from now on. */
static int take_name(struct cpio *c, const struct entry *entry, const struct header *h, uint32_t archive,
                     struct err *e) {
    bool device = entry->type == ENTRY_CHAR || entry->type == ENTRY_BLOCK;
    bool first = entry->type != ENTRY_DIR && entry->type != ENTRY_HARDLINK && (device || entry->nlink > 1);
    const struct cpio_shared *shared = entry->type == ENTRY_HARDLINK ? find_shared(c, entry->link) : NULL;
    uint32_t number = shared ? (uint32_t)(shared - c->shared) + 1 : 0;

    if (!first && !shared && !find_shared(c, entry->path))
        return 0;
    if (first && share(c, entry, h, archive) == 0)
        number = (uint32_t)c->shared_len;
    struct pathmap_slot *slot = first && !number ? NULL : pathmap_add(&c->names, entry->path);
    if (!slot)
        return err_errno(e, -ENOMEM, "could not store %s", entry->path);
    slot->number = number;
    return 0;
}

static struct header header_of(const struct entry *entry) {
    struct header h = {
        .mode = (uint32_t)(file_type(entry->type) | (entry->mode & 07777)),
        .uid = entry->uid,
        .gid = entry->gid,
        .nlink = entry->type == ENTRY_DIR ? 2
                 : entry->nlink > 1       ? entry->nlink
                                          : 1,
        .mtime = entry->mtime < 0            ? 0
                 : entry->mtime > UINT32_MAX ? UINT32_MAX
                                             : (uint32_t)entry->mtime,
        .name = entry->path,
    };

    if (entry->type == ENTRY_CHAR || entry->type == ENTRY_BLOCK) {
        h.dev_major = entry->dev_major;
        h.dev_minor = entry->dev_minor;
    }
    return h;
}

/* A name that the kernel would not remove. */
static bool replaces(const struct cpio *c, const struct entry *entry) {
    const struct cpio_shared *old = entry->type == ENTRY_HARDLINK ? NULL : find_shared(c, entry->path);

    return old && !S_ISLNK(old->header.mode) && (old->header.mode & S_IFMT) == file_type(entry->type);
}

int cpio_tell(struct cpio *c, uint32_t archive, const struct entry *entry, bool *replaced, struct err *e) {
    const struct header h = header_of(entry);
    const struct cpio_shared *old = find_shared(c, entry->path);

    *replaced = old && old->archive != archive && replaces(c, entry);
    return take_name(c, entry, &h, archive, e);
}

static int write_link(struct cpio *c, struct header h, const char *target, struct err *e) {
    h.ino = ++c->last_ino;
    h.nlink = 1;
    h.size = (uint32_t)strlen(target);
    int r = write_header(c, &h, e);
    if (!r)
        r = stream_write(c->stream, target, h.size, e);
    return r ? r : stream_pad(c->stream, 4, e);
}

int cpio_remove(struct cpio *c, const char *path, struct err *e) {
    return write_link(c, (struct header){.mode = S_IFLNK | 0777, .name = path}, REMOVED, e);
}

/* A hard link whose target was not announced to have several names cannot be told the kernel. */
static int add_hard_link(struct cpio *c, const struct entry *entry, struct err *e) {
    const struct cpio_shared *target = find_shared(c, entry->link);

    if (!target || target->archive != c->archive)
        return err_set(e, -ENOTSUP, "could not store %s: it is a hard link to %s, which did not come before it",
                       entry->path, entry->link);
    if (target == find_shared(c, entry->path)) /* the kernel would remove the name first, and find nothing then */
        return 0;
    struct header h = target->header;
    h.name = entry->path;
    if (S_ISLNK(h.mode))
        return write_link(c, h, target->link, e);
    c->last_ino++;
    return write_header(c, &h, e);
}

static int add_other(struct cpio *c, const struct entry *entry, struct header *h, const struct entry_content *content,
                     struct err *e) {
    if (entry->type == ENTRY_SYMLINK)
        return write_link(c, *h, entry->link, e);
    if (entry->type == ENTRY_FILE && entry->size > UINT32_MAX)
        return err_set(e, -EFBIG, "could not store %s: an initrd takes files up to 4 GiB only", entry->path);
    h->ino = ++c->last_ino;
    struct header with_size = *h;
    with_size.size = entry->type == ENTRY_FILE ? (uint32_t)entry->size : 0;
    int r = write_header(c, &with_size, e);
    if (!r && entry->type == ENTRY_FILE)
        r = stream_copy(c->stream, content, entry->size, entry->path, e);
    return r ? r : stream_pad(c->stream, 4, e);
}

/* What the kernel would leave out without a word. */
static int check_names(const struct entry *entry, struct err *e) {
    size_t longest = 0;

    if (!strcmp(entry->path, TRAILER))
        return err_set(e, -EINVAL, "could not store /%s: in an initrd, that name is the end of an archive", TRAILER);
    for (const char *name = entry->path; name; name = strchr(name, '/') ? strchr(name, '/') + 1 : NULL) {
        size_t len = strcspn(name, "/");
        longest = len > longest ? len : longest;
    }
    if (longest > NAME_MAX || strlen(entry->path) >= PATH_MAX - 1)
        return err_set(e, -ENAMETOOLONG,
                       "could not store /%.60s...: no system has names of more than %d bytes, or %d in all",
                       entry->path, NAME_MAX, PATH_MAX - 2);
    if (entry->type == ENTRY_SYMLINK && strlen(entry->link) >= PATH_MAX)
        return err_set(e, -ENAMETOOLONG, "could not store /%s: a link leads to %d bytes at most", entry->path,
                       PATH_MAX - 1);
    return 0;
}

int cpio_add(struct cpio *c, const struct entry *entry, const struct entry_content *content, struct err *e) {
    struct header h = header_of(entry);
    int r = check_names(entry, e);

    if (r < 0)
        return r;
    r = replaces(c, entry) ? cpio_remove(c, entry->path, e) : 0;

    if (!r)
        r = entry->type == ENTRY_HARDLINK ? add_hard_link(c, entry, e) : add_other(c, entry, &h, content, e);
    return r ? r : take_name(c, entry, &h, c->archive, e);
}

int cpio_end(struct cpio *c, struct err *e) {
    const struct header trailer = {.nlink = 1, .name = TRAILER};

    int r = write_header(c, &trailer, e);

    return r ? r : stream_pad(c->stream, CPIO_BLOCK, e);
}
