/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/pkg/debian.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <string.h>

#include "tools/image/tar.h"

#define CONTROL_MAX ((size_t)1 << 20)

/* A package is an ar archive with control.tar.* and data.tar.* in it. */

struct member {
    struct archive *ar;
    char chunk[65536];
};

static la_ssize_t on_read(struct archive *a, void *data, const void **bytes) {
    struct member *m = data;
    la_ssize_t n = archive_read_data(m->ar, m->chunk, sizeof(m->chunk));

    if (n < 0)
        archive_set_error(a, EIO, "%s", archive_error_string(m->ar));
    *bytes = m->chunk;
    return n;
}

/* Goes to the member whose name starts with the prefix. */
static int find_member(struct archive *ar, const char *prefix, const char *path, struct err *e) {
    struct archive_entry *ae;

    while (archive_read_next_header(ar, &ae) == ARCHIVE_OK) {
        const char *name = archive_entry_pathname(ae);
        if (name && !strncmp(name, prefix, strlen(prefix)))
            return 0;
    }
    return err_set(e, -EBADMSG, "could not read %s: it has no %s", path, prefix);
}

static int walk_member(struct member *m, const char *path, entry_fn *fn, void *data, struct err *e) {
    struct archive *tar = archive_read_new();
    int r = 0;

    if (!tar || archive_read_support_format_tar(tar) != ARCHIVE_OK ||
        archive_read_support_filter_all(tar) < ARCHIVE_WARN ||
        archive_read_open(tar, m, NULL, on_read, NULL) != ARCHIVE_OK)
        r = err_set(e, -EBADMSG, "could not read %s: %s", path, tar ? archive_error_string(tar) : strerror(ENOMEM));
    if (!r)
        r = tar_read(tar, path, fn, data, e);
    if (tar)
        (void)archive_read_free(tar);
    return r;
}

static int walk_part(const struct deb *deb, const char *part, entry_fn *fn, void *data, struct err *e) {
    AUTO_FREE struct member *m = calloc(1, sizeof(*m));
    int r = 0;

    if (!m || !(m->ar = archive_read_new()))
        return err_errno(e, -ENOMEM, "could not read %s", deb->path);
    if (archive_read_support_format_ar(m->ar) != ARCHIVE_OK ||
        archive_read_open_filename(m->ar, deb->path, 65536) != ARCHIVE_OK)
        r = err_set(e, -EIO, "could not read %s: %s", deb->path, archive_error_string(m->ar));
    if (!r)
        r = find_member(m->ar, part, deb->path, e);
    if (!r)
        r = walk_member(m, deb->path, fn, data, e);
    (void)archive_read_free(m->ar);
    return r;
}

int deb_walk(const struct deb *deb, entry_fn *fn, void *data, struct err *e) {
    return walk_part(deb, "data.tar", fn, data, e);
}

static int take_control(void *data, const struct entry *entry, const struct entry_content *content, struct err *e) {
    struct buf *out = data;

    if (strcmp(entry->path, "control") != 0 || !content)
        return 0;
    if (entry->size > CONTROL_MAX)
        return err_set(e, -EFBIG, "its control file is larger than %zu bytes", CONTROL_MAX);
    char *room = buf_reserve(out, entry->size);
    if (!room)
        return err_errno(e, -ENOMEM, "could not read a control file");
    for (uint64_t done = 0; done < entry->size;) {
        ssize_t n = content->read(content->ctx, room + done, entry->size - done, e);
        if (n <= 0)
            return n < 0 ? (int)n : err_set(e, -EBADMSG, "its control file is cut off");
        done += (uint64_t)n;
    }
    buf_commit(out, entry->size);
    return 0;
}

int deb_control(const struct deb *deb, struct buf *out, struct err *e) {
    size_t before = out->len;
    int r = walk_part(deb, "control.tar", take_control, out, e);

    if (!r && out->len == before)
        r = err_set(e, -EBADMSG, "could not read %s: it has no control file", deb->path);
    return r;
}
