/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/image/tree.h"

#include <errno.h>
#include <string.h>

#include "tools/image/tar.h"

#define LINK_HOPS_MAX 40

#define SLOTS_MIN 256

struct xattrs {
    size_t len;
    struct entry_xattr v[];
};

int tree_init(struct tree *t) {
    *t = (struct tree){0};
    t->root = arena_alloc(&t->arena, sizeof(*t->root) + 1);
    return t->root ? 0 : -ENOMEM;
}

void tree_end(struct tree *t) {
    free(t->slots);
    t->slots = NULL;
    t->slots_len = 0;
}

void tree_free(struct tree *t) {
    free(t->slots);
    arena_free(&t->arena);
    *t = (struct tree){0};
}

static struct node **slot_of(struct node **slots, size_t slots_len, const struct node *parent, const char *name,
                             size_t len) {
    uint64_t h = (uint64_t)(uintptr_t)parent >> 3;

    for (size_t i = 0; i < len; i++)
        h = (h ^ (unsigned char)name[i]) * 1099511628211U; /* FNV-1a */
    return &slots[(h ^ h >> 32) & (slots_len - 1)];
}

static int grow(struct tree *t) {
    size_t len = t->slots_len ? 2 * t->slots_len : SLOTS_MIN;

    if (t->nodes < t->slots_len)
        return 0;
    struct node **slots = calloc(len, sizeof(struct node *));
    if (!slots)
        return -ENOMEM;
    for (size_t i = 0; i < t->slots_len; i++)
        for (struct node *n = t->slots[i], *next; n; n = next) {
            struct node **slot = slot_of(slots, len, n->parent, n->name, strlen(n->name));
            next = n->same;
            n->same = *slot;
            *slot = n;
        }
    free(t->slots);
    t->slots = slots;
    t->slots_len = len;
    return 0;
}

static struct node *new_child(struct tree *t, struct node *parent, const char *name, size_t len) {
    struct node *n = t->nodes < TREE_NODES_MAX && grow(t) == 0 ? arena_alloc(&t->arena, sizeof(*n) + len + 1) : NULL;

    if (!n)
        return NULL;
    struct node **slot = slot_of(t->slots, t->slots_len, parent, name, len);
    memcpy(n->name, name, len);
    n->parent = parent;
    n->depth = (unsigned short)(parent->depth + 1);
    n->same = *slot;
    *slot = n;
    t->nodes++;
    return n;
}

static struct node *find_child(const struct tree *t, const struct node *parent, const char *name, size_t len) {
    struct node *n = t->slots_len ? *slot_of(t->slots, t->slots_len, parent, name, len) : NULL;

    while (n && (n->parent != parent || strncmp(n->name, name, len) != 0 || n->name[len]))
        n = n->same;
    return n;
}

struct node *tree_find(const struct tree *t, const char *path) {
    struct node *n = t->root;

    for (const char *p = path; n && *p; p += *p == '/') {
        size_t len = strcspn(p, "/");
        n = find_child(t, n, p, len);
        p += len;
    }
    return n;
}

static struct node *child(struct tree *t, struct node *parent, const char *name, size_t len, struct err *e) {
    struct node *n = find_child(t, parent, name, len);

    if (n)
        return n;
    if (parent->depth == TREE_DEPTH_MAX) {
        (void)err_set(e, -ENAMETOOLONG, "directories are nested more than %d deep", TREE_DEPTH_MAX);
        return NULL;
    }
    n = new_child(t, parent, name, len);
    if (!n)
        (void)err_set(e, -ENOMEM, "could not hold more than %zu paths", t->nodes);
    return n;
}

/* Prepends a link's target to what is left of the path. */
static int follow(char *path, size_t len, const char *target, const char *rest, struct err *e) {
    AUTO_FREE char *joined = NULL;

    if (asprintf(&joined, "%s/%s", target, rest) < 0) {
        joined = NULL;
        return err_errno(e, -ENOMEM, "could not follow a link");
    }
    if (strlen(joined) >= len)
        return err_set(e, -ENAMETOOLONG, "link to \"%.200s\" makes a path too long", target);
    memcpy(path, joined, strlen(joined) + 1);
    return 0;
}

/* Finds or makes the node of a path; the last component is not followed. */
static int resolve(struct tree *t, const char *path, struct node **out, struct err *e) {
    char buf[2 * ENTRY_PATH_MAX];
    const char *p = buf;
    struct node *cur = t->root;
    int hops = 0;

    (void)snprintf(buf, sizeof(buf), "%s", path);
    while (*p) {
        size_t n = strcspn(p, "/");
        const char *rest = p + n + strspn(p + n, "/");
        if (n == 2 && !memcmp(p, "..", 2)) {
            cur = cur->parent ? cur->parent : cur;
        } else if (n > 0 && !(n == 1 && *p == '.')) {
            if (n >= ENTRY_PATH_MAX)
                return err_set(e, -ENAMETOOLONG, "a name in \"%.200s\" is too long", path);
            struct node *next = child(t, cur, p, n, e);
            if (!next)
                return err_negative(e ? e->code : -ENOMEM);
            if (*rest && next->inode && next->inode->type == ENTRY_SYMLINK) {
                const char *target = next->inode->link;
                if (++hops > LINK_HOPS_MAX)
                    return err_set(e, -ELOOP, "\"%.200s\" has too many links in it", path);
                cur = *target == '/' ? t->root : cur;
                int r = follow(buf, sizeof(buf), target, rest, e);
                if (r < 0)
                    return r;
                p = buf;
                continue;
            }
            if (*rest && next->inode && next->inode->type != ENTRY_DIR)
                return err_set(e, -ENOTDIR, "\"%.200s\" lies under something that is not a directory", path);
            cur = next;
        }
        p = rest;
    }
    *out = cur;
    return 0;
}

static void hide_node(struct node *n, size_t layer);

/* What layers below `layer` put there goes. */
static void hide_children(struct node *n, size_t layer) {
    struct node **at = &n->children, *c;

    while ((c = *at)) {
        hide_node(c, layer);
        if (c->inode || c->children) {
            at = &c->sibling;
            continue;
        }
        *at = c->sibling;
        c->listed = false;
    }
}

static void hide_node(struct node *n, size_t layer) {
    if (n->layer < layer)
        n->inode = NULL;
    hide_children(n, layer);
}

/* The same for a whiteout of this layer: a second one finds nothing that is not the layer's own. */
static void hide_others(struct node *n, size_t layer) {
    if (n->hidden == layer + 1)
        return;
    n->hidden = (uint32_t)layer + 1;
    hide_children(n, layer);
}

static void stand(struct node *n, struct inode *inode, size_t layer) {
    n->inode = inode;
    n->layer = (uint32_t)layer;
    for (; n->parent && !n->listed; n = n->parent) {
        n->sibling = n->parent->children;
        n->parent->children = n;
        n->listed = true;
    }
}

/* `path` is that of a whiteout file. */
static int apply_whiteout(struct tree *t, const char *path, const char *base, size_t layer, struct err *e) {
    char target[ENTRY_PATH_MAX];
    bool opaque = !strcmp(base, WHITEOUT_OPAQUE);
    struct node *n = NULL;

    (void)snprintf(target, sizeof(target), "%.*s%s", (int)(base - path), path, opaque ? "" : base + strlen(WHITEOUT));
    int r = resolve(t, target, &n, e);
    if (r < 0)
        return r;
    if (!opaque && n == t->root)
        return 0;
    if (!opaque && n->layer < layer)
        n->inode = NULL;
    hide_others(n, layer);
    return 0;
}

static int copy_xattrs(struct tree *t, struct inode *i, const struct entry *entry) {
    struct xattrs *copy = arena_alloc(&t->arena, sizeof(*copy) + entry->xattrs_len * sizeof(copy->v[0]));

    if (!copy)
        return -ENOMEM;
    for (; copy->len < entry->xattrs_len; copy->len++) {
        const struct entry_xattr *x = &entry->xattrs[copy->len];
        struct entry_xattr *to = &copy->v[copy->len];
        *to = (struct entry_xattr){arena_string(&t->arena, x->name), arena_bytes(&t->arena, x->value, x->len), x->len};
        if (!to->name || !to->value)
            return -ENOMEM;
    }
    i->xattrs = copy;
    return 0;
}

static struct inode *new_inode(struct tree *t, const struct entry *entry, size_t layer, size_t seq) {
    struct inode *i = arena_alloc(&t->arena, sizeof(*i));

    if (!i)
        return NULL;
    *i = (struct inode){
        .link = entry->link ? arena_string(&t->arena, entry->link) : NULL,
        .size = entry->size,
        .mtime = entry->mtime,
        .uid = entry->uid,
        .gid = entry->gid,
        .dev_major = entry->dev_major,
        .dev_minor = entry->dev_minor,
        .layer = (uint32_t)layer,
        .seq = (uint32_t)seq,
        .mode = (uint16_t)entry->mode,
        .type = (uint8_t)entry->type,
    };
    return (entry->link && !i->link) || (entry->xattrs_len && copy_xattrs(t, i, entry) < 0) ? NULL : i;
}

struct entry inode_entry(const struct inode *i) {
    return (struct entry){
        .type = (enum entry_type)i->type,
        .link = i->link,
        .mode = i->mode,
        .uid = i->uid,
        .gid = i->gid,
        .size = i->size,
        .mtime = i->mtime,
        .dev_major = i->dev_major,
        .dev_minor = i->dev_minor,
        .xattrs = i->xattrs ? i->xattrs->v : NULL,
        .xattrs_len = i->xattrs ? i->xattrs->len : 0,
    };
}

/* The inode that the entry stands for: its own, or for a hard link its target's. */
static int find_inode(struct tree *t, const struct entry *entry, size_t layer, size_t seq, struct inode **out,
                      struct err *e) {
    struct node *target = NULL;

    if (entry->type != ENTRY_HARDLINK) {
        *out = new_inode(t, entry, layer, seq);
        return *out ? 0 : err_errno(e, -ENOMEM, "could not hold %s", entry->path);
    }
    int r = resolve(t, entry->link, &target, e);
    if (r < 0)
        return r;
    if (!target->inode || target->inode->type == ENTRY_DIR)
        return err_set(e, -EINVAL, "hard link %s has no target %s before it", entry->path, entry->link);
    *out = target->inode;
    return 0;
}

void tree_count(struct node *node, struct inode *inode) {
    if (!inode || node->inode != inode || node->counted)
        return;
    node->counted = true;
    inode->names++;
    if (!inode->first)
        inode->first = node;
}

int tree_apply(struct tree *t, const struct entry *entry, size_t layer, size_t seq, struct node **node,
               struct inode **inode, struct err *e) {
    const char *slash = strrchr(entry->path, '/');
    const char *base = slash ? slash + 1 : entry->path;
    struct node *n = NULL;
    struct inode *i = NULL;

    *node = NULL;
    *inode = NULL;
    if (!*entry->path)
        return 0;
    if (!strncmp(base, WHITEOUT, strlen(WHITEOUT)))
        return apply_whiteout(t, entry->path, base, layer, e);
    int r = resolve(t, entry->path, &n, e);
    if (!r)
        r = find_inode(t, entry, layer, seq, &i, e);
    if (r < 0)
        return r;
    if (n == t->root)
        return 0;
    if (i->type != ENTRY_DIR)
        hide_children(n, layer + 1);
    stand(n, i, layer);
    *node = n;
    *inode = i;
    return 0;
}

int node_path(const struct node *n, char *out, size_t len) {
    size_t at = len - 1;

    out[at] = '\0';
    for (; n->parent; n = n->parent) {
        size_t name_len = strlen(n->name);
        if (name_len + 1 > at)
            return -ENAMETOOLONG;
        at -= name_len;
        memcpy(out + at, n->name, name_len);
        if (n->parent->parent)
            out[--at] = '/';
    }
    memmove(out, out + at, len - at);
    return 0;
}
