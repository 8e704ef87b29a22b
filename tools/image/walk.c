/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two passes over the layers. The first learns names and metadata and checks every digest, the configuration's diff_ids
 * too; the second streams the contents of what stands in the end. Only metadata is held.
 */
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <string.h>

#include "lib/array.h"
#include "tools/image/blob.h"
#include "tools/image/gunzip.h"
#include "tools/image/image_priv.h"
#include "tools/image/tar.h"
#include "tools/image/tree.h"

/* What each entry of a layer became; NULLs for whiteouts. */
struct item {
    struct node *node;
    struct inode *inode;
};

struct layer_items {
    struct item *v;
    size_t len, cap;
};

struct walk {
    const struct image *img;
    struct tree tree;
    struct layer_items *layers;
    const json_t *diff_ids; /* NULL: there are none, or they were checked */
    size_t layer, seq;
    entry_fn *look; /* NULL: nobody wants to */
    entry_fn *fn;
    void *data;
};

struct layer_source {
    struct blob_reader blob;
    struct err err;
    bool begun;
    const void *first; /* the first bytes, which were read to see what it is */
    size_t first_len;
    struct gunzip *gunzip; /* NULL: it is no gzip */
    struct archive *zstd;  /* NULL: it is no zstd */
    bool zstd_is_empty;    /* it has nothing to read */
    struct err zstd_err;   /* of the bytes that went into it */
    EVP_MD_CTX *hash;      /* of what is unpacked; NULL: nobody wants it */
};

static ssize_t read_blob(void *data, const void **bytes, struct err *e) {
    struct layer_source *s = data;

    if (!s->first_len)
        return blob_reader_read(&s->blob, bytes, e);
    size_t n = s->first_len;
    *bytes = s->first;
    s->first_len = 0;
    return (ssize_t)n;
}

static la_ssize_t on_packed(struct archive *a, void *data, const void **bytes) {
    struct layer_source *s = data;
    ssize_t n = read_blob(s, bytes, &s->zstd_err);

    if (n < 0)
        archive_set_error(a, (int)-n, "%s", s->zstd_err.msg);
    return n;
}

/* A frame, or one that is to be skipped. */
static bool zstd_wanted(const unsigned char *bytes, size_t len) {
    return len >= 4 && (!memcmp(bytes, "\x28\xb5\x2f\xfd", 4) ||
                        ((bytes[0] & 0xf0) == 0x50 && !memcmp(bytes + 1, "\x2a\x4d\x18", 3)));
}

/*
 * libarchive takes the windows that zstd takes unless it is told otherwise, up to 128 MiB, and needs as much memory.
 * containerd and Docker write up to 32 MiB and read more; of what is larger libzstd says that it is too much memory.
 */
static int zstd_failed(const struct layer_source *s, struct err *e) {
    const char *why = s->zstd ? archive_error_string(s->zstd) : NULL;

    if (s->zstd_err.code)
        return err_set(e, s->zstd_err.code, "%s", s->zstd_err.msg);
    if (why && strstr(why, "too much memory"))
        return err_set(e, -E2BIG,
                       "its zstd window is larger than 128 MiB: pack it anew, with at most --long=27, or with gzip");
    return err_set(e, -EBADMSG, "%s", why ? why : "out of memory");
}

static int begin_zstd(struct layer_source *s, struct err *e) {
    struct archive_entry *entry;
    int r = ARCHIVE_FATAL;

    s->zstd = archive_read_new();
    if (s->zstd && archive_read_support_filter_zstd(s->zstd) == ARCHIVE_OK &&
        archive_read_support_format_raw(s->zstd) == ARCHIVE_OK &&
        archive_read_support_format_empty(s->zstd) == ARCHIVE_OK &&
        archive_read_open(s->zstd, s, NULL, on_packed, NULL) == ARCHIVE_OK)
        r = archive_read_next_header(s->zstd, &entry);
    s->zstd_is_empty = r == ARCHIVE_EOF;
    if (r == ARCHIVE_OK || r == ARCHIVE_EOF)
        return 0;
    return zstd_failed(s, e);
}

static ssize_t read_zstd(struct layer_source *s, const void **bytes, struct err *e) {
    size_t len = 0;
    la_int64_t offset;
    int r;

    if (s->zstd_is_empty)
        return 0;
    do
        r = archive_read_data_block(s->zstd, bytes, &len, &offset);
    while (r == ARCHIVE_OK && !len);
    if (r == ARCHIVE_OK || r == ARCHIVE_EOF)
        return r == ARCHIVE_OK ? (ssize_t)len : 0;
    return zstd_failed(s, e);
}

static int begin_source(struct layer_source *s, struct err *e) {
    ssize_t n = blob_reader_read(&s->blob, &s->first, e);

    s->begun = true;
    s->first_len = n > 0 ? (size_t)n : 0;
    if (n < 0)
        return (int)n;
    return gunzip_wanted(s->first, s->first_len) ? gunzip_new(read_blob, s, &s->gunzip, e)
           : zstd_wanted(s->first, s->first_len) ? begin_zstd(s, e)
                                                 : 0;
}

static ssize_t read_unpacked(struct layer_source *s, const void **bytes, struct err *e) {
    ssize_t n = s->begun ? 0 : begin_source(s, e);

    if (!n)
        n = s->gunzip ? gunzip_read(s->gunzip, bytes, e) : s->zstd ? read_zstd(s, bytes, e) : read_blob(s, bytes, e);
    if (n > 0 && s->hash && EVP_DigestUpdate(s->hash, *bytes, (size_t)n) != 1)
        return err_set(e, -EIO, "could not hash it");
    return n;
}

/* A tar ends before what it is packed in does: there is a checksum, and the digest is of all of it. */
static int drain(struct layer_source *s, struct err *e) {
    const void *bytes = NULL;
    ssize_t n;

    while ((n = read_unpacked(s, &bytes, e)) > 0)
        continue;
    return n < 0 ? err_wrap(e, (int)n, "could not read the layer") : 0;
}

static void end_source(struct layer_source *s) {
    if (s->gunzip)
        gunzip_free(s->gunzip);
    if (s->zstd)
        (void)archive_read_free(s->zstd);
    EVP_MD_CTX_free(s->hash);
    s->gunzip = NULL;
    s->zstd = NULL;
    s->hash = NULL;
    s->begun = false;
    s->first_len = 0;
}

static la_ssize_t on_read(struct archive *a, void *data, const void **bytes) {
    struct layer_source *s = data;
    ssize_t n = read_unpacked(s, bytes, &s->err);

    if (n < 0)
        archive_set_error(a, (int)-n, "%s", s->err.msg);
    return n;
}

static struct archive *open_archive(struct layer_source *s) {
    struct archive *a = archive_read_new();

    if (a && archive_read_support_format_tar(a) == ARCHIVE_OK && archive_read_support_format_empty(a) == ARCHIVE_OK &&
        archive_read_open(a, s, NULL, on_read, NULL) == ARCHIVE_OK)
        return a;
    if (a)
        (void)archive_read_free(a);
    return NULL;
}

/* The digest of a layer is that of the packed bytes; who made the image says of the others what they were. */
static int check_diff_id(const struct walk *w, const struct layer_source *s, struct err *e) {
    const char *expected = json_string_value(json_array_get(w->diff_ids, w->layer));
    char digest[DIGEST_MAX];

    if (!w->diff_ids)
        return 0;
    (void)snprintf(digest, sizeof(digest), "%s", w->img->layers[w->layer].digest);
    int r = s->gunzip || s->zstd ? digest_final(s->hash, digest, e) : 0;
    if (!r && (!expected || strcmp(digest, expected) != 0))
        r = err_set(e, -EBADMSG, "what is in it has digest %s, and the image's configuration says %.80s", digest,
                    expected ? expected : "nothing that is one");
    return r;
}

static int read_layer(struct walk *w, struct layer_source *s, entry_fn *fn, struct err *e) {
    const struct blob_desc *desc = &w->img->layers[w->layer];
    int r = blob_reader_open(&s->blob, w->img->cache_dir, desc, e);

    if (r < 0)
        return r;
    if (w->diff_ids && !(s->hash = digest_new()))
        return err_errno(e, -ENOMEM, "could not read it");
    struct archive *a = open_archive(s);
    if (!a)
        return err_set(e, s->err.code ? s->err.code : -EBADMSG, "could not open it: %s",
                       s->err.code ? s->err.msg : "neither tar, tar+gzip nor tar+zstd");
    w->seq = 0;
    r = tar_read(a, "the layer", fn, w, e);
    if (r == -EBADMSG && s->err.code) /* libarchive tells only that something is missing */
        r = err_set(e, s->err.code, "could not read the layer: %s", s->err.msg);
    if (!r)
        r = drain(s, e);
    if (!r)
        r = blob_reader_end(&s->blob, e);
    if (!r)
        r = check_diff_id(w, s, e);
    (void)archive_read_free(a);
    return r;
}

static int each_layer(struct walk *w, entry_fn *fn, struct err *e) {
    AUTO_FREE struct layer_source *s = calloc(1, sizeof(*s));
    int r = s ? 0 : err_errno(e, -ENOMEM, "could not read image %s", w->img->ref);

    for (w->layer = 0; w->layer < w->img->layers_len && !r; w->layer++) {
        r = read_layer(w, s, fn, e);
        end_source(s);
        blob_reader_close(&s->blob);
        if (r < 0)
            return err_wrap(e, r, "image %s, layer %s", w->img->ref, w->img->layers[w->layer].digest);
    }
    return r;
}

static int learn(void *data, const struct entry *entry, const struct entry_content *content, struct err *e) {
    struct walk *w = data;
    struct layer_items *items = &w->layers[w->layer];
    struct item item;

    int r = w->look ? w->look(w->data, entry, content, e) : 0;
    if (!r)
        r = tree_apply(&w->tree, entry, w->layer, w->seq++, &item.node, &item.inode, e);
    if (r)
        return r;
    if (ARRAY_ROOM(items->v, items->len, items->cap) < 0)
        return err_errno(e, -ENOMEM, "could not hold its names");
    items->v[items->len++] = item;
    return 0;
}

static int emit_node(struct walk *w, struct node *n, const struct entry *meta, const struct entry_content *content,
                     struct err *e) {
    char path[ENTRY_PATH_MAX];
    struct entry entry = *meta;

    if (node_path(n, path, sizeof(path)) < 0)
        return err_set(e, -ENAMETOOLONG, "a path that ends in \"%.200s\" is too long", n->name);
    entry.path = path;
    entry.nlink = n->inode ? n->inode->names : 0;
    entry.layer = n->inode ? w->img->layers[n->inode->layer].digest : NULL;
    n->emitted = true;
    return w->fn(w->data, &entry, content, e);
}

static int emit_parents(struct walk *w, struct node *n, struct err *e) {
    const struct entry meta = n->inode ? inode_entry(n->inode) : (struct entry){.type = ENTRY_DIR, .mode = 0755};

    if (!n->parent || n->emitted)
        return 0;
    int r = emit_parents(w, n->parent, e);
    return r ? r : emit_node(w, n, &meta, NULL, e);
}

static int emit_link(struct walk *w, struct node *n, const struct node *target, struct err *e) {
    char path[ENTRY_PATH_MAX];
    struct entry entry = inode_entry(n->inode);

    if (node_path(target, path, sizeof(path)) < 0)
        return err_set(e, -ENAMETOOLONG, "a path that ends in \"%.200s\" is too long", target->name);
    entry.type = ENTRY_HARDLINK;
    entry.link = path;
    entry.size = 0;
    entry.xattrs_len = 0;
    return emit_node(w, n, &entry, NULL, e);
}

static int emit(void *data, const struct entry *entry, const struct entry_content *content, struct err *e) {
    struct walk *w = data;
    const struct layer_items *items = &w->layers[w->layer];
    size_t seq = w->seq++;

    (void)entry;
    if (seq >= items->len)
        return err_set(e, -EBADMSG, "it changed while it was read");
    struct inode *i = items->v[seq].inode;
    struct node *n = items->v[seq].node;
    if (!i)
        return 0;
    if (i->layer == w->layer && i->seq == seq)
        n = i->first; /* with the contents */
    if (!n || n->inode != i || n->emitted)
        return 0;
    int r = emit_parents(w, n->parent, e);
    if (r)
        return r;
    const struct entry meta = inode_entry(i);
    return n == i->first ? emit_node(w, n, &meta, content, e) : emit_link(w, n, i->first, e);
}

/* A configuration without any says nothing of its layers. */
static int find_diff_ids(struct walk *w, struct err *e) {
    const json_t *ids = json_object_get(json_object_get(w->img->config, "rootfs"), "diff_ids");

    if (ids && json_array_size(ids) != w->img->layers_len)
        return err_set(e, -EBADMSG, "image %s: its manifest has %zu layers, and its configuration %zu", w->img->ref,
                       w->img->layers_len, json_array_size(ids));
    w->diff_ids = ids;
    return 0;
}

/* What has several names is known in the end only: which of them, and how many. */
static void settle_names(struct walk *w, const char *const *alone) {
    static const char *const none[] = {NULL};
    struct node *n;

    alone = alone ? alone : none;
    for (size_t i = 0; alone[i]; i++)
        if ((n = tree_find(&w->tree, alone[i])))
            n->counted = true;
    for (size_t i = 0; i < w->img->layers_len; i++)
        for (size_t k = 0; k < w->layers[i].len; k++)
            tree_count(w->layers[i].v[k].node, w->layers[i].v[k].inode);
    for (size_t i = 0; alone[i]; i++) {
        n = tree_find(&w->tree, alone[i]);
        if (n && n->inode && n->inode->names) {
            n->inode = NULL;
        } else if (n && n->inode) {
            n->counted = false;
            tree_count(n, n->inode);
        }
    }
    tree_end(&w->tree);
}

int image_walk_with(const struct image *img, const struct image_walk_also *also, entry_fn *fn, void *data,
                    struct err *e) {
    struct walk w = {.img = img, .look = also->look, .fn = fn, .data = data};

    w.layers = calloc(img->layers_len + 1, sizeof(*w.layers));
    int r = w.layers && tree_init(&w.tree) == 0 ? 0 : err_errno(e, -ENOMEM, "could not read image %s", img->ref);
    if (!r)
        r = find_diff_ids(&w, e);
    if (!r)
        r = each_layer(&w, learn, e);
    w.diff_ids = NULL;
    if (!r) {
        settle_names(&w, also->alone);
        r = each_layer(&w, emit, e);
    }
    for (size_t i = 0; w.layers && i < img->layers_len; i++)
        free(w.layers[i].v);
    free(w.layers);
    tree_free(&w.tree);
    return r;
}

int image_walk(const struct image *img, entry_fn *fn, void *data, struct err *e) {
    return image_walk_with(img, &(const struct image_walk_also){.alone = NULL}, fn, data, e);
}
