/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/output/settled.h"

#include <archive.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/array.h"
#include "lib/auto.h"
#include "tools/image/arena.h"
#include "tools/image/pathindex.h"
#include "tools/image/tar.h"
#include "tools/output/tar.h"

#define READ_BLOCK ((size_t)64 << 10)

/* An entry, in the order in which they came. */
struct record {
    const char *path;
    const char *link; /* a hard link's target; else NULL */
    uint32_t of;      /* the entry whose file it names: itself, or what a hard link led to when it came */
    uint32_t name;    /* of a file: the first entry that names it in the end; NOWHERE: none does */
    bool dir, last;   /* last: nothing came for this path later */
};
#define NOWHERE UINT32_MAX

struct settled {
    struct output base;
    char *path, *all_path;
    struct output *all; /* every entry as it came */
    struct arena strings;
    struct record *v;
    size_t len, cap;
    struct pathindex paths;
};

static int add(struct output *o, const struct entry *entry, const struct entry_content *content,
               const struct origin *origin, struct err *e) {
    struct settled *s = (struct settled *)o;
    struct entry plain = *entry;

    (void)origin;
    plain.spelling = NULL;
    if (s->len == NOWHERE || ARRAY_ROOM(s->v, s->len, s->cap) < 0)
        return err_errno(e, -ENOMEM, "could not hold %s", entry->path);
    struct record *r = &s->v[s->len];
    *r = (struct record){.path = arena_string(&s->strings, entry->path),
                         .link = entry->type == ENTRY_HARDLINK ? arena_string(&s->strings, entry->link) : NULL,
                         .of = (uint32_t)s->len,
                         .name = NOWHERE,
                         .dir = entry->type == ENTRY_DIR};
    if (!r->path || (entry->type == ENTRY_HARDLINK && !r->link))
        return err_errno(e, -ENOMEM, "could not hold %s", entry->path);
    s->len++;
    return output_add(s->all, &plain, content, NULL, e);
}

static const char *path_of(const void *data, size_t i) {
    return ((const struct settled *)data)->v[i].path;
}

/* Which entries stay, and under which name each file is. */
static int settle(struct settled *s, struct err *e) {
    if (pathindex_make(&s->paths, s->len, path_of, s) < 0)
        return err_errno(e, -ENOMEM, "could not sort the tree");
    for (size_t i = 0; i < s->len; i++)
        s->v[s->paths.v[i]].last = pathindex_is_last(&s->paths, i);
    for (size_t i = 0, to; i < s->len; i++) {
        struct record *r = &s->v[i];
        bool found = r->link && pathindex_find(&s->paths, r->link, i, &to) && !s->v[to].dir;
        if (r->link && !found)
            return err_set(e, -EINVAL, "could not link %s: there is no file %s that came before it", r->path, r->link);
        if (found)
            r->of = s->v[to].of;
        if (r->last && s->v[r->of].name == NOWHERE)
            s->v[r->of].name = (uint32_t)i;
    }
    return 0;
}

struct pass {
    const struct settled *s;
    struct output *to;
    bool dirs;
    size_t next; /* the number of the entry that is read next */
};

static int put(void *data, const struct entry *entry, const struct entry_content *content, struct err *e) {
    struct pass *p = data;
    const struct settled *s = p->s;
    struct entry now = *entry;

    if (p->next >= s->len)
        return err_set(e, -EBADMSG, "could not read %s: it has changed", s->all_path);
    const struct record *r = &s->v[p->next++], *of = &s->v[r->of];
    if (r->dir != p->dirs || (r->dir && !r->last) || of->name == NOWHERE)
        return 0;
    const struct record *first = &s->v[of->name];
    if (r == of)
        now.path = first->path;
    else if (!r->last || r == first)
        return 0;
    else
        now.link = first->path;
    return output_add(p->to, &now, content, NULL, e);
}

static int run_pass(const struct settled *s, struct output *to, bool dirs, struct err *e) {
    struct pass pass = {.s = s, .to = to, .dirs = dirs};
    struct archive *a = archive_read_new();
    int r = 0;

    if (!a || archive_read_support_format_tar(a) != ARCHIVE_OK || archive_read_support_format_empty(a) != ARCHIVE_OK)
        r = err_errno(e, -ENOMEM, "could not read %s", s->all_path);
    if (!r && archive_read_open_filename(a, s->all_path, READ_BLOCK) != ARCHIVE_OK)
        r = err_set(e, -EIO, "could not read %s: %s", s->all_path, archive_error_string(a));
    if (!r)
        r = tar_read(a, s->all_path, put, &pass, e);
    (void)archive_read_free(a);
    return r;
}

static int finish(struct output *o, struct err *e) {
    struct settled *s = (struct settled *)o;
    AUTO_OUTPUT struct output *to = NULL;
    int r = output_complete(s->all, e);

    if (!r)
        r = settle(s, e);
    if (!r)
        r = output_tar_new(s->path, false, &to, e);
    if (!r)
        r = run_pass(s, to, true, e);
    if (!r)
        r = run_pass(s, to, false, e);
    if (!r)
        r = output_complete(to, e);
    if (!r && unlink(s->all_path) < 0)
        r = err_errno(e, -errno, "could not remove %s", s->all_path);
    return r;
}

static void free_settled(struct output *o) {
    struct settled *s = (struct settled *)o;

    if (s->all)
        output_free(s->all);
    arena_free(&s->strings);
    pathindex_free(&s->paths);
    free(s->v);
    free(s->path);
    free(s->all_path);
    free(s);
}

int output_settled_new(const char *path, struct output **out, struct err *e) {
    static const struct output_type type = {.add = add, .finish = finish, .free = free_settled};
    struct settled *s = calloc(1, sizeof(*s));

    if (!s)
        return err_errno(e, -ENOMEM, "could not write %s", path);
    s->base.type = &type;
    s->path = strdup(path);
    if (!s->path || asprintf(&s->all_path, "%s.all", path) < 0) {
        s->all_path = NULL;
        free_settled(&s->base);
        return err_errno(e, -ENOMEM, "could not write %s", path);
    }
    int r = output_tar_new(s->all_path, false, &s->all, e);
    if (r < 0)
        free_settled(&s->base);
    else
        *out = &s->base;
    return r;
}
