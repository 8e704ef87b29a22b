/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/image/tree.h"

#include <errno.h>
#include <string.h>

#include "tools/image/tar.h"

#define LINK_HOPS_MAX 40

static void free_children(struct node *n) {
    for (size_t i = 0; i < n->children_len; i++) {
        free_children(n->children[i]);
        free(n->children[i]);
    }
    free(n->children);
}

static void free_inode(struct inode *i) {
    for (size_t x = 0; x < i->meta.xattrs_len; x++) {
        free((void *)(uintptr_t)i->meta.xattrs[x].name);
        free((void *)(uintptr_t)i->meta.xattrs[x].value);
    }
    free((void *)(uintptr_t)i->meta.xattrs);
    free((void *)(uintptr_t)i->meta.link);
    free(i->more);
    free(i);
}

void tree_free(struct tree *t) {
    free_children(&t->root);
    for (size_t i = 0; i < t->inodes_len; i++)
        free_inode(t->inodes[i]);
    free(t->inodes);
    *t = (struct tree){0};
}

/* Doubles *array when it holds a power of two; p is added. */
static int push_ptr(void ***array, size_t *len, void *p) {
    if ((*len & (*len - 1)) == 0) {
        void **grown = reallocarray(*array, *len ? 2 * *len : 1, sizeof(*grown));
        if (!grown)
            return -ENOMEM;
        *array = grown;
    }
    (*array)[(*len)++] = p;
    return 0;
}

/* Where the name is, or belongs, among the children. */
static size_t position(const struct node *parent, const char *name, bool *found) {
    size_t low = 0, high = parent->children_len;

    *found = false;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(parent->children[middle]->name, name);
        if (order == 0) {
            *found = true;
            return middle;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static int insert_child(struct node *parent, size_t at, struct node *n) {
    int r = push_ptr((void ***)&parent->children, &parent->children_len, n);

    if (r < 0)
        return r;
    memmove(parent->children + at + 1, parent->children + at,
            (parent->children_len - 1 - at) * sizeof(*parent->children));
    parent->children[at] = n;
    n->parent = parent;
    return 0;
}

static struct node *child(struct tree *t, struct node *parent, const char *name, size_t len, struct err *e) {
    char key[ENTRY_PATH_MAX];
    bool found;

    memcpy(key, name, len);
    key[len] = '\0';
    size_t at = position(parent, key, &found);
    if (found)
        return parent->children[at];
    if (parent->depth == TREE_DEPTH_MAX) {
        (void)err_set(e, -ENAMETOOLONG, "directories are nested more than %d deep", TREE_DEPTH_MAX);
        return NULL;
    }
    struct node *n = t->nodes < TREE_NODES_MAX ? calloc(1, sizeof(*n) + len + 1) : NULL;
    if (n)
        n->name = memcpy(n + 1, key, len + 1);
    if (!n || insert_child(parent, at, n) < 0) {
        free(n);
        (void)err_set(e, -ENOMEM, "could not hold more than %zu paths", t->nodes);
        return NULL;
    }
    n->depth = parent->depth + 1;
    t->nodes++;
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
    struct node *cur = &t->root;
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
            if (*rest && next->inode && next->inode->meta.type == ENTRY_SYMLINK) {
                const char *target = next->inode->meta.link;
                if (++hops > LINK_HOPS_MAX)
                    return err_set(e, -ELOOP, "\"%.200s\" has too many links in it", path);
                cur = *target == '/' ? &t->root : cur;
                int r = follow(buf, sizeof(buf), target, rest, e);
                if (r < 0)
                    return r;
                p = buf;
                continue;
            }
            if (*rest && next->inode && next->inode->meta.type != ENTRY_DIR)
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
    for (size_t i = 0; i < n->children_len; i++)
        hide_node(n->children[i], layer);
}

static void hide_node(struct node *n, size_t layer) {
    if (n->inode && n->inode->layer < layer)
        n->inode = NULL;
    hide_children(n, layer);
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
    if (opaque)
        hide_children(n, layer);
    else if (n != &t->root)
        hide_node(n, layer);
    return 0;
}

static void *dup_bytes(const void *data, size_t len) {
    void *copy = malloc(len + 1);

    if (copy) {
        memcpy(copy, data, len);
        ((char *)copy)[len] = '\0';
    }
    return copy;
}

static int copy_meta(struct inode *i, const struct entry *entry) {
    struct entry_xattr *xattrs = entry->xattrs_len ? calloc(entry->xattrs_len, sizeof(*xattrs)) : NULL;

    i->meta = *entry;
    i->meta.path = NULL;
    i->meta.link = entry->link ? strdup(entry->link) : NULL;
    i->meta.xattrs = xattrs;
    i->meta.xattrs_len = 0;
    if ((!xattrs && entry->xattrs_len) || (entry->link && !i->meta.link))
        return -ENOMEM;
    for (size_t x = 0; x < entry->xattrs_len; x++) {
        xattrs[x].name = strdup(entry->xattrs[x].name);
        xattrs[x].value = dup_bytes(entry->xattrs[x].value, entry->xattrs[x].len);
        xattrs[x].len = entry->xattrs[x].len;
        i->meta.xattrs_len++;
        if (!xattrs[x].name || !xattrs[x].value)
            return -ENOMEM;
    }
    return 0;
}

static struct inode *new_inode(struct tree *t, const struct entry *entry, size_t layer, size_t seq) {
    struct inode *i = calloc(1, sizeof(*i));

    if (!i)
        return NULL;
    i->layer = (uint32_t)layer;
    i->seq = (uint32_t)seq;
    if (copy_meta(i, entry) < 0 || push_ptr((void ***)&t->inodes, &t->inodes_len, i) < 0) {
        free_inode(i);
        return NULL;
    }
    return i;
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
    if (!target->inode || target->inode->meta.type == ENTRY_DIR)
        return err_set(e, -EINVAL, "hard link %s has no target %s before it", entry->path, entry->link);
    *out = target->inode;
    return 0;
}

static int add_name(struct inode *i, struct node *n) {
    if (i->first)
        return push_ptr((void ***)&i->more, &i->more_len, n);
    i->first = n;
    return 0;
}

struct node *inode_name(const struct inode *i, size_t k) {
    if (!k)
        return i->first;
    return k <= i->more_len ? i->more[k - 1] : NULL;
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
    if (n == &t->root)
        return 0;
    if (i->meta.type != ENTRY_DIR)
        hide_children(n, layer + 1);
    if (add_name(i, n) < 0)
        return err_errno(e, -ENOMEM, "could not hold %s", entry->path);
    n->inode = i;
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
