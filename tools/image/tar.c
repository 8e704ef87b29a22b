/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/image/tar.h"

#include <archive_entry.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "lib/fdutil.h"

int entry_path_clean(const char *raw, char *out, size_t len, struct err *e) {
    size_t used = 0;

    for (const char *p = raw; *p;) {
        size_t n = strcspn(p, "/");
        bool skip = n == 0 || (n == 1 && p[0] == '.');
        if (n == 2 && p[0] == '.' && p[1] == '.')
            return err_set(e, -EINVAL, "path \"%.200s\" leaves its root", raw);
        if (!skip) {
            if (used + n + 2 > len)
                return err_set(e, -ENAMETOOLONG, "path \"%.200s...\" is too long", raw);
            if (used)
                out[used++] = '/';
            memcpy(out + used, p, n);
            used += n;
        }
        p += n + (p[n] == '/');
    }
    out[used] = '\0';
    return 0;
}

static const mode_t file_type[] = {
    [ENTRY_FILE] = S_IFREG, [ENTRY_DIR] = S_IFDIR,   [ENTRY_SYMLINK] = S_IFLNK, [ENTRY_HARDLINK] = S_IFREG,
    [ENTRY_CHAR] = S_IFCHR, [ENTRY_BLOCK] = S_IFBLK, [ENTRY_FIFO] = S_IFIFO,
};

static void fill_header(struct archive_entry *ae, const struct entry *entry) {
    archive_entry_set_pathname(ae, entry->path);
    archive_entry_set_mode(ae, file_type[entry->type] | entry->mode);
    archive_entry_set_uid(ae, entry->uid);
    archive_entry_set_gid(ae, entry->gid);
    archive_entry_set_mtime(ae, entry->mtime, 0);
    archive_entry_set_size(ae, entry->type == ENTRY_FILE ? (la_int64_t)entry->size : 0);
    if (entry->type == ENTRY_SYMLINK)
        archive_entry_set_symlink(ae, entry->link);
    if (entry->type == ENTRY_HARDLINK)
        archive_entry_set_hardlink(ae, entry->link);
    if (entry->type == ENTRY_CHAR || entry->type == ENTRY_BLOCK)
        archive_entry_set_rdev(ae, makedev(entry->dev_major, entry->dev_minor));
    for (size_t i = 0; i < entry->xattrs_len; i++)
        archive_entry_xattr_add_entry(ae, entry->xattrs[i].name, entry->xattrs[i].value, entry->xattrs[i].len);
}

static la_ssize_t on_bytes(struct archive *a, void *data, const void *bytes, size_t len) {
    int r = write_full(*(const int *)data, bytes, len);

    if (r < 0)
        archive_set_error(a, -r, "%s", strerror(-r));
    return r < 0 ? -1 : (la_ssize_t)len;
}

int tar_open_fd(struct archive *a, const int *fd) {
    return archive_write_set_bytes_in_last_block(a, 1) == ARCHIVE_OK &&
                   archive_write_open(a, (void *)(uintptr_t)fd, NULL, on_bytes, NULL) == ARCHIVE_OK
               ? 0
               : -ENOMEM;
}

int tar_error(struct archive *a, const char *path, struct err *e) {
    const char *why = archive_error_string(a);
    int code = archive_errno(a);

    return err_set(e, code > 0 ? -code : -EIO, "could not write %s: %s", path, why ? why : "unknown error");
}

static int copy_content(struct archive *a, const struct entry *entry, const struct entry_content *content,
                        struct err *e) {
    char chunk[32768];
    uint64_t left = entry->size;

    while (left > 0) {
        ssize_t n = content->read(content->ctx, chunk, left < sizeof(chunk) ? (size_t)left : sizeof(chunk), e);
        if (n < 0)
            return (int)n;
        if (n == 0)
            return err_set(e, -EIO, "could not read %s: its contents end too early", entry->path);
        if (archive_write_data(a, chunk, (size_t)n) != n)
            return tar_error(a, entry->path, e);
        left -= (uint64_t)n;
    }
    return 0;
}

int tar_write_entry(struct archive *a, const struct entry *entry, const struct entry_content *content, struct err *e) {
    struct archive_entry *ae = archive_entry_new();

    if (!ae)
        return err_errno(e, -ENOMEM, "could not write %s", entry->path);
    fill_header(ae, entry);
    int r = archive_write_header(a, ae) == ARCHIVE_OK ? 0 : tar_error(a, entry->path, e);
    archive_entry_free(ae);
    if (!r && entry->type == ENTRY_FILE && entry->size > 0)
        r = copy_content(a, entry, content, e);
    return r;
}

struct reader {
    struct archive *a;
    const char *what;
};

static ssize_t read_content(void *ctx, void *data, size_t len, struct err *e) {
    const struct reader *r = ctx;
    la_ssize_t n = archive_read_data(r->a, data, len);

    if (n < 0)
        return err_set(e, -EBADMSG, "could not read %s: %s", r->what, archive_error_string(r->a));
    return (ssize_t)n;
}

static int entry_type_of(struct archive_entry *ae, enum entry_type *type) {
    if (archive_entry_hardlink(ae)) {
        *type = ENTRY_HARDLINK;
        return 0;
    }
    for (size_t i = 0; i < ARRAY_SIZE(file_type); i++)
        if (file_type[i] == archive_entry_filetype(ae)) {
            *type = (enum entry_type)i;
            return 0;
        }
    return -EINVAL; /* a socket */
}

/* Into out, which has room for ENTRY_XATTRS_MAX. */
static int read_xattrs(struct archive_entry *ae, struct entry_xattr *out, struct entry *entry, struct err *e) {
    int n = archive_entry_xattr_reset(ae);

    if (n > ENTRY_XATTRS_MAX)
        return err_set(e, -E2BIG, "%s has %d extended attributes: at most %d are taken", entry->path, n,
                       ENTRY_XATTRS_MAX);
    entry->xattrs = out;
    for (; entry->xattrs_len < (size_t)n; entry->xattrs_len++) {
        struct entry_xattr *x = &out[entry->xattrs_len];
        if (archive_entry_xattr_next(ae, &x->name, &x->value, &x->len) != ARCHIVE_OK)
            return err_set(e, -EBADMSG, "%s has an extended attribute that cannot be read", entry->path);
        if (strlen(x->name) > ENTRY_XATTR_NAME_MAX)
            return err_set(e, -ENAMETOOLONG, "%s has an extended attribute whose name is too long: \"%.80s...\"",
                           entry->path, x->name);
    }
    return 0;
}

static int read_id(int64_t id, const char *what, const char *path, uint32_t *out, struct err *e) {
    if (id < 0 || id > ENTRY_ID_MAX)
        return err_set(e, -ERANGE, "%s belongs to %s %lld: ids are numbers from 0 to %u", path, what, (long long)id,
                       ENTRY_ID_MAX);
    *out = (uint32_t)id;
    return 0;
}

/* All but what it is called and what it is. */
static int read_metadata(struct archive_entry *ae, struct entry *entry, struct entry_xattr *xattrs, struct err *e) {
    int r = read_id(archive_entry_uid(ae), "user", entry->path, &entry->uid, e);

    if (!r)
        r = read_id(archive_entry_gid(ae), "group", entry->path, &entry->gid, e);
    entry->mode = archive_entry_perm(ae);
    entry->size = entry->type == ENTRY_FILE && archive_entry_size(ae) > 0 ? (uint64_t)archive_entry_size(ae) : 0;
    entry->mtime = archive_entry_mtime(ae);
    entry->dev_major = major(archive_entry_rdev(ae));
    entry->dev_minor = minor(archive_entry_rdev(ae));
    return r ? r : read_xattrs(ae, xattrs, entry, e);
}

static int one_entry(struct reader *reader, struct archive_entry *ae, entry_fn *fn, void *data, struct err *e) {
    char path[ENTRY_PATH_MAX], link[ENTRY_PATH_MAX];
    struct entry_xattr xattrs[ENTRY_XATTRS_MAX];
    struct entry entry = {.path = path};
    const struct entry_content content = {read_content, reader};
    const char *raw = archive_entry_pathname(ae);

    if (!raw)
        return err_set(e, -EINVAL, "%s has an entry without a name", reader->what);
    int r = entry_path_clean(raw, path, sizeof(path), e);
    if (r < 0)
        return err_wrap(e, r, "%s", reader->what);
    if (entry_type_of(ae, &entry.type) < 0)
        return err_set(e, -EINVAL, "%s: %s is neither file, directory, link, device nor fifo", reader->what, path);
    if (entry.type == ENTRY_HARDLINK) {
        r = entry_path_clean(archive_entry_hardlink(ae), link, sizeof(link), e);
        entry.link = link;
    } else if (entry.type == ENTRY_SYMLINK) {
        entry.link = archive_entry_symlink(ae);
        if (!entry.link)
            return err_set(e, -EINVAL, "%s: link %s has no target", reader->what, path);
    }
    if (!r)
        r = read_metadata(ae, &entry, xattrs, e);
    if (r < 0)
        return err_wrap(e, r, "%s", reader->what);
    return fn(data, &entry, entry.type == ENTRY_FILE ? &content : NULL, e);
}

int tar_read(struct archive *a, const char *what, entry_fn *fn, void *data, struct err *e) {
    struct reader reader = {a, what};
    struct archive_entry *ae;

    for (;;) {
        int status = archive_read_next_header(a, &ae);
        if (status == ARCHIVE_EOF)
            return 0;
        if (status != ARCHIVE_OK && status != ARCHIVE_WARN)
            return err_set(e, -EBADMSG, "could not read %s: %s", what, archive_error_string(a));
        int r = one_entry(&reader, ae, fn, data, e);
        if (r)
            return r;
    }
}
