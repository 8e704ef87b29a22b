/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/output/listing.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "tools/image/content.h"

/* Strings follow, each with its NUL: path, link, layer; then what was kept. */
struct record {
    uint64_t size;
    int64_t mtime;
    uint32_t type, mode, uid, gid, nlink, dev_major, dev_minor;
    uint32_t path_len, link_len, layer_len; /* with NUL; 0: NULL */
    uint64_t kept_len;
    unsigned char sha1[LISTING_SHA1];
};

static uint32_t text_len(const char *s) {
    return s ? (uint32_t)strlen(s) + 1 : 0;
}

int listing_write(FILE *f, const struct entry *entry, const struct buf *kept, struct err *e) {
    struct record r;

    memset(&r, 0, sizeof(r)); /* the padding, too: equal lists are equal files */
    r.size = entry->size;
    r.mtime = entry->mtime;
    r.type = (uint32_t)entry->type;
    r.mode = (uint32_t)entry->mode;
    r.uid = entry->uid;
    r.gid = entry->gid;
    r.nlink = entry->nlink;
    r.dev_major = entry->dev_major;
    r.dev_minor = entry->dev_minor;
    r.path_len = text_len(entry->path);
    r.link_len = text_len(entry->link);
    r.layer_len = text_len(entry->layer);
    r.kept_len = kept ? kept->len : 0;
    if (entry->sha1)
        memcpy(r.sha1, entry->sha1, sizeof(r.sha1));
    if (fwrite(&r, sizeof(r), 1, f) != 1 || fwrite(entry->path, 1, r.path_len, f) != r.path_len ||
        (r.link_len && fwrite(entry->link, 1, r.link_len, f) != r.link_len) ||
        (r.layer_len && fwrite(entry->layer, 1, r.layer_len, f) != r.layer_len) ||
        (r.kept_len && fwrite(kept->data, 1, kept->len, f) != kept->len))
        return err_errno(e, -errno, "could not list %s", entry->path);
    return 0;
}

/* The next string of the record's text; its NUL is checked. */
static bool take_text(const char **at, uint32_t len, const char **out) {
    *out = len ? *at : NULL;
    *at += len;
    return !len || !(*at)[-1];
}

static int give(const struct record *r, const char *text, entry_fn *fn, void *data, struct err *e) {
    struct entry entry = {.type = (enum entry_type)r->type,
                          .mode = (mode_t)r->mode,
                          .uid = r->uid,
                          .gid = r->gid,
                          .size = r->size,
                          .mtime = r->mtime,
                          .nlink = r->nlink,
                          .dev_major = r->dev_major,
                          .dev_minor = r->dev_minor,
                          .sha1 = r->sha1};

    if (!take_text(&text, r->path_len, &entry.path) || !take_text(&text, r->link_len, &entry.link) ||
        !take_text(&text, r->layer_len, &entry.layer) || !entry.path)
        return err_set(e, -EBADMSG, "a list of entries is damaged");
    struct content_source source = content_text(entry.path, text, (size_t)r->kept_len);
    const struct entry_content content = {.read = content_read, .ctx = &source};
    return fn(data, &entry, entry.type == ENTRY_FILE ? &content : NULL, e);
}

int listing_read(FILE *f, uint64_t size, entry_fn *fn, void *data, struct err *e) {
    AUTO_BUF struct buf text = BUF_INIT;
    struct record r;
    int result = 0;

    while (!result && size > 0) {
        if (size < sizeof(r) || fread(&r, sizeof(r), 1, f) != 1)
            return err_set(e, -EBADMSG, "a list of entries is cut off");
        uint64_t len = (uint64_t)r.path_len + r.link_len + r.layer_len + r.kept_len;
        if (len > size - sizeof(r))
            return err_set(e, -EBADMSG, "a list of entries is damaged");
        buf_reset(&text);
        char *room = buf_reserve(&text, (size_t)len);
        if (!room || fread(room, 1, (size_t)len, f) != len)
            return err_set(e, -EBADMSG, "a list of entries is cut off");
        result = give(&r, room, fn, data, e);
        size -= sizeof(r) + len;
    }
    return result;
}
