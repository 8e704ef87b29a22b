/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/output/listing.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "tools/image/content.h"
#include "tools/image/tar.h"

/* Strings follow, each with its NUL: path, link, layer; then extended attributes; then what was kept. */
struct record {
    uint64_t size;
    int64_t mtime;
    uint32_t type, mode, uid, gid, nlink, dev_major, dev_minor;
    uint32_t path_len, link_len, layer_len; /* with NUL; 0: NULL */
    uint64_t xattrs_len; /* of each: the length of its value, 8 bytes; its name, with NUL; the value */
    uint64_t kept_len;
    unsigned char sha1[LISTING_SHA1];
};

static uint32_t text_len(const char *s) {
    return s ? (uint32_t)strlen(s) + 1 : 0;
}

static int put_xattrs(const struct entry *entry, struct buf *out) {
    int r = 0;

    for (size_t i = 0; i < entry->xattrs_len && !r; i++) {
        const struct entry_xattr *x = &entry->xattrs[i];
        uint64_t len = x->len;
        r = buf_append(out, &len, sizeof(len));
        if (!r)
            r = buf_append(out, x->name, strlen(x->name) + 1);
        if (!r)
            r = buf_append(out, x->value, x->len);
    }
    return r;
}

int listing_write(FILE *f, const struct entry *entry, const struct buf *kept, struct err *e) {
    AUTO_BUF struct buf xattrs = BUF_INIT;
    struct record r;

    if (put_xattrs(entry, &xattrs) < 0)
        return err_errno(e, -ENOMEM, "could not list %s", entry->path);
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
    r.xattrs_len = xattrs.len;
    r.kept_len = kept ? kept->len : 0;
    if (entry->sha1)
        memcpy(r.sha1, entry->sha1, sizeof(r.sha1));
    if (fwrite(&r, sizeof(r), 1, f) != 1 || fwrite(entry->path, 1, r.path_len, f) != r.path_len ||
        (r.link_len && fwrite(entry->link, 1, r.link_len, f) != r.link_len) ||
        (r.layer_len && fwrite(entry->layer, 1, r.layer_len, f) != r.layer_len) ||
        (xattrs.len && fwrite(xattrs.data, 1, xattrs.len, f) != xattrs.len) ||
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

/* False: they are not what put_xattrs() writes. */
static bool take_xattrs(const char **at, uint64_t len, struct entry_xattr out[ENTRY_XATTRS_MAX], struct entry *entry) {
    const char *p = *at, *end = p + len;
    size_t n = 0;

    while (p < end && n < ENTRY_XATTRS_MAX) {
        uint64_t value_len;
        if ((size_t)(end - p) < sizeof(value_len))
            return false;
        memcpy(&value_len, p, sizeof(value_len));
        const char *name = p + sizeof(value_len), *nul = memchr(name, '\0', (size_t)(end - name));
        if (!nul || value_len > (uint64_t)(end - nul - 1))
            return false;
        out[n++] = (struct entry_xattr){.name = name, .value = nul + 1, .len = (size_t)value_len};
        p = nul + 1 + value_len;
    }
    entry->xattrs = out;
    entry->xattrs_len = n;
    *at = end;
    return p == end;
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
    struct entry_xattr xattrs[ENTRY_XATTRS_MAX];

    if (!take_text(&text, r->path_len, &entry.path) || !take_text(&text, r->link_len, &entry.link) ||
        !take_text(&text, r->layer_len, &entry.layer) || !entry.path ||
        !take_xattrs(&text, r->xattrs_len, xattrs, &entry))
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
        uint64_t len = (uint64_t)r.path_len + r.link_len + r.layer_len;
        if (r.xattrs_len > size || r.kept_len > size || (len += r.xattrs_len + r.kept_len) > size - sizeof(r))
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
