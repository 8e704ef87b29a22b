/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Entries of files: that cannot be there together. They are sorted so that what is below a path comes right behind it,
 * and gone through once: looking every path's parents up would take the square of its length.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tools/config/config_priv.h"

/* What stands against an entry; NULL: nothing. Of several the nearest. */
struct clash {
    const struct config_file *same;  /* an earlier one with its path */
    const struct config_file *above; /* an earlier one that is no directory */
    const struct config_file *below; /* an earlier one, and this is no directory */
};

static const char *kind(const struct config_file *f) {
    return f->directory ? "directory" : f->symlink && *f->symlink ? "symlink" : "file";
}

static bool may_be_missing(const struct config_file *f) {
    return f->optional && f->source && *f->source;
}

static bool has_path(const struct config_file *f) {
    return f->path && *f->path;
}

static int by_path(const void *a, const void *b) {
    const struct config_file *x = *(const struct config_file *const *)a, *y = *(const struct config_file *const *)b;
    const char *p = x->path, *q = y->path;

    while (*p && *p == *q) {
        p++;
        q++;
    }
    if (*p == *q)
        return x < y ? -1 : x > y;
    if (!*p || !*q)
        return *p ? 1 : -1;
    if (*p == '/' || *q == '/')
        return *q == '/' ? 1 : -1;
    return (unsigned char)*p < (unsigned char)*q ? -1 : 1;
}

static bool is_below(const char *path, const char *parent) {
    size_t len = strlen(parent);

    return !strncmp(path, parent, len) && path[len] == '/';
}

/* above: room for those that are no directories and have the present one below them. */
static void find_clashes(const struct config_file *all, const struct config_file *const *sorted, size_t len,
                         const struct config_file **above, struct clash *clashes) {
    size_t depth = 0;

    for (size_t i = 0; i < len; i++) {
        const struct config_file *f = sorted[i], *before = i ? sorted[i - 1] : NULL;
        if (before && !strcmp(before->path, f->path))
            clashes[f - all].same = before;
        while (depth && !is_below(f->path, above[depth - 1]->path))
            depth--;
        const struct config_file *nearest = depth ? above[depth - 1] : NULL;
        if (nearest && nearest < f)
            clashes[f - all].above = nearest;
        else if (nearest && !clashes[nearest - all].below)
            clashes[nearest - all].below = f;
        if (!f->directory)
            above[depth++] = f;
    }
}

/* LinuxKit's rule is that the last counts; of two kinds in one YAML file one is a mistake. */
static void tell_same(const struct config_file *f, const struct config_file *same, struct problems *p) {
    bool replaces = !f->directory && !same->directory &&
                    (!strcmp(kind(f), kind(same)) || may_be_missing(f) || may_be_missing(same) ||
                     !config_same_yaml(f->place, same->place));

    if (!replaces && !(f->directory && same->directory))
        problem(p, f->place, "\"%.100s\" is a %s here and a %s at %s; remove one", f->path, kind(f), kind(same),
                same->place);
}

static void tell(const struct config *c, const struct clash *clashes, struct problems *p) {
    for (size_t i = 0; i < c->files_len; i++) {
        const struct config_file *f = &c->files[i], *above = clashes[i].above, *below = clashes[i].below;
        if (above)
            problem(p, f->place, "\"%.100s\" would be below \"%.100s\", which is a %s (%s); change one of the two",
                    f->path, above->path, kind(above), above->place);
        if (clashes[i].same)
            tell_same(f, clashes[i].same, p);
        if (below)
            problem(p, f->place, "\"%.100s\" is a %s, but \"%.100s\" (%s) is below it; change one of the two", f->path,
                    kind(f), below->path, below->place);
    }
}

int check_clashes(const struct config *c, struct problems *p) {
    AUTO_FREE const struct config_file **sorted = calloc(c->files_len + 1, sizeof(*sorted));
    AUTO_FREE const struct config_file **above = calloc(c->files_len + 1, sizeof(*above));
    AUTO_FREE struct clash *clashes = calloc(c->files_len + 1, sizeof(*clashes));
    size_t len = 0;

    if (!sorted || !above || !clashes)
        return -ENOMEM;
    for (size_t i = 0; i < c->files_len; i++)
        if (has_path(&c->files[i]))
            sorted[len++] = &c->files[i];
    qsort(sorted, len, sizeof(*sorted), by_path);
    find_clashes(c->files, sorted, len, above, clashes);
    tell(c, clashes, p);
    return 0;
}
