/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/output/trees.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "tools/image/content.h"
#include "tools/output/stream.h"

#define ANY_TREE "*.dtb"

/* BOARD.dtb, NULL: it is not wanted. */
static const char *board_of(const struct trees *t, const char *path) {
    size_t below = strlen(BOOT_TREES);

    return !strncmp(path, BOOT_TREES, below) && !fnmatch(t->wanted, path + below, FNM_PATHNAME) ? strrchr(path, '/') + 1
                                                                                                : NULL;
}

static char *path_of(const struct trees *t, uint32_t number) {
    char *path = NULL;

    return asprintf(&path, "%s/kept-%u", t->dir, number) < 0 ? NULL : path;
}

static int write_file(const char *path, const struct entry *entry, const struct entry_content *content, struct err *e) {
    AUTO_STREAM struct stream *out = NULL;
    int r = stream_open(path, &out, e);

    if (!r)
        r = stream_copy(out, content, entry->size, entry->path, e);
    if (!r)
        r = stream_end(out, e);
    return r ? r : stream_commit(out, e);
}

static int name_kept(struct trees *t, const char *path, uint32_t number, struct err *e) {
    struct pathmap_slot *slot = pathmap_add(&t->kept, path);

    if (!slot)
        return err_errno(e, -ENOMEM, "could not write %s", path);
    slot->number = number;
    return 0;
}

/* Of the kept file: onto the card, and then to whom it was going. */
static int pass(const struct trees *t, uint32_t number, struct output *rest, const struct entry *entry,
                const struct origin *origin, struct err *e) {
    const char *board = board_of(t, entry->path);
    AUTO_FREE char *from = path_of(t, number), *to = NULL;
    AUTO_CLOSE int fd = from ? open(from, O_RDONLY | O_CLOEXEC) : -1;
    struct content_source source = content_fd(from, fd);
    const struct entry_content content = {.read = content_read, .ctx = &source};
    struct stat st;

    if (board && asprintf(&to, "%s/%s", t->dir, board) < 0)
        to = NULL;
    if (!from || (board && !to))
        return err_errno(e, -ENOMEM, "could not write %s", entry->path);
    if (fd < 0 || fstat(fd, &st) < 0)
        return err_errno(e, -errno, "could not read %s", from);
    const struct entry whole = {.path = entry->path, .size = (uint64_t)st.st_size};
    int r = board ? write_file(to, &whole, &content, e) : 0;
    if (!r && lseek(fd, 0, SEEK_SET) < 0)
        r = err_errno(e, -errno, "could not read %s", from);
    return r ? r : output_add(rest, entry, entry->type == ENTRY_FILE ? &content : NULL, origin, e);
}

static int add_file(struct trees *t, struct output *rest, const struct entry *entry,
                    const struct entry_content *content, const struct origin *origin, struct err *e) {
    AUTO_FREE char *path = path_of(t, t->kept_len);
    int r = path ? write_file(path, entry, content, e) : err_errno(e, -ENOMEM, "could not write %s", entry->path);

    if (!r)
        r = name_kept(t, entry->path, t->kept_len, e);
    return r ? r : pass(t, t->kept_len++, rest, entry, origin, e);
}

int trees_add(struct trees *t, struct output *rest, const struct entry *entry, const struct entry_content *content,
              const struct origin *origin, struct err *e) {
    bool board = board_of(t, entry->path) != NULL, link = entry->type == ENTRY_HARDLINK;
    const struct pathmap_slot *target = link ? pathmap_find(&t->kept, entry->link, strlen(entry->link)) : NULL;
    uint32_t number = target ? target->number : 0;

    if (entry->type == ENTRY_FILE && (board || (entry->nlink > 1 && !fnmatch(ANY_TREE, entry->path, 0))))
        return add_file(t, rest, entry, content, origin, e);
    if (link && board && !target)
        return err_set(e, -EINVAL, "could not use %s: it is a hard link to %s, which is no device tree", entry->path,
                       entry->link);
    if (!target)
        return output_add(rest, entry, content, origin, e);
    int r = name_kept(t, entry->path, number, e);
    return r ? r : pass(t, number, rest, entry, origin, e);
}

void trees_free(struct trees *t) {
    pathmap_free(&t->kept);
}
