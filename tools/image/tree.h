/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The merged view of an image's layers: which entry of which layer stands at each path in the end. Holds names and
 * metadata, never contents; at most TREE_NODES_MAX paths. Link parents are followed inside the root, as an extraction
 * in a chroot would.
 */
#ifndef TOOLS_IMAGE_TREE_H
#define TOOLS_IMAGE_TREE_H

#include <stdbool.h>

#include "tools/image/arena.h"
#include "tools/image/entry.h"

#define TREE_NODES_MAX 2000000
#define TREE_DEPTH_MAX 2048
#define WHITEOUT ".wh."
#define WHITEOUT_OPAQUE ".wh..wh..opq"

struct node {
    struct node *parent;
    struct node *children, *sibling; /* those below it at or under which something stands */
    struct node *same;               /* the next one with the same hash */
    struct inode *inode;             /* NULL: nothing stands here, or a directory that no layer describes */
    uint32_t layer;                  /* that has put it there; its inode may be of one below */
    uint32_t hidden;                 /* the layer, from 1, that has hidden what others put below it */
    unsigned short depth;
    bool listed : 1;  /* among its parent's children */
    bool counted : 1; /* among its inode's names, or is not to be */
    bool emitted : 1;
    char name[]; /* the root has none */
};

struct xattrs;

/* One entry as its layer describes it; several nodes share it if they are hard links. */
struct inode {
    const char *link;
    const struct xattrs *xattrs; /* NULL: it has none */
    uint64_t size;
    int64_t mtime;
    struct node *first; /* its first name, in the layers' order, that stands in the end; known after tree_count() */
    uint32_t names;     /* how many stand */
    uint32_t uid, gid, dev_major, dev_minor;
    uint32_t layer;
    uint32_t seq; /* position in the layer */
    uint16_t mode;
    uint8_t type;
};

struct tree {
    struct node *root;
    struct node **slots; /* of all nodes but the root, by parent and name */
    size_t slots_len;    /* 0, or a power of two */
    size_t nodes;
    struct arena arena; /* nodes, inodes and what they hold */
};

int tree_init(struct tree *t);
void tree_free(struct tree *t);

/*
 * Applies one entry of a layer (whiteouts included). *node and *inode say what it became; both NULL for whiteouts and
 * the root.
 */
int tree_apply(struct tree *t, const struct entry *entry, size_t layer, size_t seq, struct node **node,
               struct inode **inode, struct err *e);

/* The node that stands at the path itself, no links followed; NULL: there is none. */
struct node *tree_find(const struct tree *t, const char *path);

/* All entries were applied: what only finding paths takes is given back. */
void tree_end(struct tree *t);
/* Then: one of them, with what it became, in their order. */
void tree_count(struct node *node, struct inode *inode);

/* The inode's metadata, all but path and number of names. */
struct entry inode_entry(const struct inode *i);

/* The node's path, in out (ENTRY_PATH_MAX bytes); -ENAMETOOLONG. */
int node_path(const struct node *n, char *out, size_t len);

#endif
