/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The merged view of an image's layers: which entry of which layer stands at each path in the end. Holds names and
 * metadata, never contents; at most TREE_NODES_MAX paths. Link parents are followed inside the root, as an extraction
 * in a chroot would.
 */
#ifndef TOOLS_IMAGE_TREE_H
#define TOOLS_IMAGE_TREE_H

#include <stdbool.h>

#include "tools/image/entry.h"

#define TREE_NODES_MAX 2000000
#define TREE_DEPTH_MAX 2048
#define WHITEOUT ".wh."
#define WHITEOUT_OPAQUE ".wh..wh..opq"

struct node {
    struct node *parent;
    const char *name;       /* behind the node, in the same allocation; the root has none */
    struct node **children; /* sorted by name */
    size_t children_len;
    struct inode *inode; /* NULL: nothing stands here, or a directory that no layer describes */
    unsigned depth;
    bool emitted;
};

/* One entry as its layer describes it; several nodes share it if they are hard links. */
struct inode {
    struct entry meta; /* path unset; link and xattrs are copies */
    uint32_t layer;
    uint32_t seq;       /* position in the layer */
    struct node *first; /* its first name; mostly the only one */
    struct node **more;
    size_t more_len;
};

struct tree {
    struct node root;
    struct inode **inodes; /* all of them, for freeing */
    size_t inodes_len;
    size_t nodes;
};

void tree_free(struct tree *t);

/* The k-th name that the inode got, in the layers' order; NULL: no more. It may stand for another one since. */
struct node *inode_name(const struct inode *i, size_t k);

/*
 * Applies one entry of a layer (whiteouts included). *node and *inode say what it became; both NULL for whiteouts and
 * the root.
 */
int tree_apply(struct tree *t, const struct entry *entry, size_t layer, size_t seq, struct node **node,
               struct inode **inode, struct err *e);

/* The node's path, in out (ENTRY_PATH_MAX bytes); -ENAMETOOLONG. */
int node_path(const struct node *n, char *out, size_t len);

#endif
