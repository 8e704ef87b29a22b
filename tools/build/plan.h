/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parts that a tree is made of, in its order. What depends on an image and its place alone is a part of its own,
 * with a key; what is small and changes often (configurations, files) is in parts without one.
 */
#ifndef TOOLS_BUILD_PLAN_H
#define TOOLS_BUILD_PLAN_H

#include "lib/buf.h"
#include "tools/build/build_priv.h"

struct plan;
struct part;

/* Gives the part's entries to b->output. Several parts may be at work at once, each in a thread and once at a time. */
typedef int part_emit_fn(const struct build *b, const struct plan *plan, struct part *p, struct err *e);

struct part {
    part_emit_fn *emit;
    char *source, *location;
    struct origin origin; /* the two */
    char *key;            /* all that its bytes come from, as text; NULL: it is made each time */
    struct image *img;    /* NULL: none */
    char *path;           /* where it is in the tree; NULL: at many places */
    const char *resolv_link;
    char *config, *runtime; /* of a bundle */
    bool sub_rootfs, sub_tmp, own_root;
    size_t index;    /* in its section of the YAML */
    struct buf note; /* filled by emit: an init image's package database; the microcode that a kernel lacks */
};

struct plan {
    struct part *v;
    size_t len, cap;
    json_t *roots; /* image -> where its root is */
    json_t *after; /* service -> those that it starts after */
};

/* Opens, and if need be pulls, every image. */
int plan_make(const struct build *b, struct plan *p, struct err *e);
void plan_free(struct plan *p);
#define AUTO_PLAN AUTO(plan_free)

/* The next part; source is copied. NULL: no memory, reported. */
struct part *plan_add(struct plan *p, part_emit_fn *emit, const char *source, struct err *e, const char *location, ...)
    PRINTF_LIKE(5, 6);
/* The part has a key: its image, with these words. */
int part_set_key(struct part *p, struct err *e, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* Each puts the parts of its section into the plan. */
int plan_kernel(const struct build *b, struct plan *p, struct err *e);
int plan_volumes(const struct build *b, struct plan *p, struct err *e);
int plan_containers(const struct build *b, struct plan *p, struct err *e);

/* The emit function of an image's root below p->path. */
int emit_root(const struct build *b, const struct plan *plan, struct part *p, struct err *e);

#endif
