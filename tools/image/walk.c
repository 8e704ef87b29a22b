/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two passes over the layers. The first learns names and metadata and checks every digest; the second streams the
 * contents of what stands in the end. Only metadata is held.
 */
#include <archive.h>
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
    size_t layer, seq;
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

static int begin_source(struct layer_source *s) {
    ssize_t n = blob_reader_read(&s->blob, &s->first, &s->err);

    s->begun = true;
    s->first_len = n > 0 ? (size_t)n : 0;
    return n < 0 ? (int)n : gunzip_wanted(s->first, s->first_len) ? gunzip_new(read_blob, s, &s->gunzip, &s->err) : 0;
}

/* A tar ends before its gzip does, whose last bytes are its checksum. */
static int drain(struct layer_source *s, struct err *e) {
    const void *bytes;
    ssize_t n = 0;

    while (s->gunzip && (n = gunzip_read(s->gunzip, &bytes, e)) > 0)
        continue;
    return n < 0 ? err_wrap(e, (int)n, "could not read the layer") : 0;
}

static void end_source(struct layer_source *s) {
    if (s->gunzip)
        gunzip_free(s->gunzip);
    s->gunzip = NULL;
    s->begun = false;
    s->first_len = 0;
}

static la_ssize_t on_read(struct archive *a, void *data, const void **bytes) {
    struct layer_source *s = data;
    ssize_t n = s->begun ? 0 : begin_source(s);

    if (!n)
        n = s->gunzip ? gunzip_read(s->gunzip, bytes, &s->err) : read_blob(s, bytes, &s->err);

    if (n < 0)
        archive_set_error(a, (int)-n, "%s", s->err.msg);
    return n;
}

static struct archive *open_archive(struct layer_source *s) {
    struct archive *a = archive_read_new();

    if (a && archive_read_support_filter_zstd(a) == ARCHIVE_OK && archive_read_support_format_tar(a) == ARCHIVE_OK &&
        archive_read_support_format_empty(a) == ARCHIVE_OK &&
        archive_read_open(a, s, NULL, on_read, NULL) == ARCHIVE_OK)
        return a;
    if (a)
        (void)archive_read_free(a);
    return NULL;
}

static int read_layer(struct walk *w, struct layer_source *s, entry_fn *fn, struct err *e) {
    const struct blob_desc *desc = &w->img->layers[w->layer];
    int r = blob_reader_open(&s->blob, w->img->cache_dir, desc, e);

    if (r < 0)
        return r;
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

    (void)content;
    int r = tree_apply(&w->tree, entry, w->layer, w->seq++, &item.node, &item.inode, e);
    if (r < 0)
        return r;
    if (ARRAY_ROOM(items->v, items->len, items->cap) < 0)
        return err_errno(e, -ENOMEM, "could not hold its names");
    items->v[items->len++] = item;
    return 0;
}

/* Names that share the node's inode in the end. */
static uint32_t count_names(const struct inode *i) {
    const struct node *name;
    uint32_t names = 0;

    for (size_t k = 0; i && (name = inode_name(i, k)); k++)
        names += name->inode == i;
    return names;
}

static int emit_node(struct walk *w, struct node *n, const struct entry *meta, const struct entry_content *content,
                     struct err *e) {
    char path[ENTRY_PATH_MAX];
    struct entry entry = *meta;

    if (node_path(n, path, sizeof(path)) < 0)
        return err_set(e, -ENAMETOOLONG, "a path that ends in \"%.200s\" is too long", n->name);
    entry.path = path;
    entry.nlink = count_names(n->inode);
    entry.layer = n->inode ? w->img->layers[n->inode->layer].digest : NULL;
    n->emitted = true;
    return w->fn(w->data, &entry, content, e);
}

static int emit_parents(struct walk *w, struct node *n, struct err *e) {
    static const struct entry made_up = {.type = ENTRY_DIR, .mode = 0755};

    if (!n->parent || n->emitted)
        return 0;
    int r = emit_parents(w, n->parent, e);
    return r ? r : emit_node(w, n, n->inode ? &n->inode->meta : &made_up, NULL, e);
}

static int emit_link(struct walk *w, struct node *n, const struct node *target, struct err *e) {
    char path[ENTRY_PATH_MAX];
    struct entry entry = n->inode->meta;

    if (node_path(target, path, sizeof(path)) < 0)
        return err_set(e, -ENAMETOOLONG, "a path that ends in \"%.200s\" is too long", target->name);
    entry.type = ENTRY_HARDLINK;
    entry.link = path;
    entry.size = 0;
    entry.xattrs_len = 0;
    return emit_node(w, n, &entry, NULL, e);
}

/* The node that carries the contents: the first, in layer order, that still stands. */
static struct node *first_standing(const struct inode *i) {
    struct node *name;

    for (size_t k = 0; (name = inode_name(i, k)); k++)
        if (name->inode == i)
            return name;
    return NULL;
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
    bool owner = i->layer == w->layer && i->seq == seq;
    struct node *first = first_standing(i);
    if (owner)
        n = first;
    if (!n || n->inode != i || n->emitted)
        return 0;
    int r = emit_parents(w, n->parent, e);
    if (r)
        return r;
    return n == first ? emit_node(w, n, &i->meta, content, e) : emit_link(w, n, first, e);
}

int image_walk(const struct image *img, entry_fn *fn, void *data, struct err *e) {
    struct walk w = {.img = img, .fn = fn, .data = data};

    w.layers = calloc(img->layers_len + 1, sizeof(*w.layers));
    int r = w.layers ? 0 : err_errno(e, -ENOMEM, "could not read image %s", img->ref);
    if (!r)
        r = each_layer(&w, learn, e);
    if (!r)
        r = each_layer(&w, emit, e);
    for (size_t i = 0; w.layers && i < img->layers_len; i++)
        free(w.layers[i].v);
    free(w.layers);
    tree_free(&w.tree);
    return r;
}
