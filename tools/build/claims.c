/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/build/claims.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/array.h"
#include "tools/image/pathmap.h"

struct owner {
    char *source, *location;
};

struct claim {
    const char *link;   /* a symlink's target */
    uint32_t owner;     /* index */
    unsigned char type; /* enum entry_type */
    bool below_dirs;    /* directories were claimed all the way to it */
};

struct claims {
    struct output output;
    struct output *inner;
    struct pathmap paths; /* -> index into v */
    struct claim *v;
    size_t len, cap;
    struct owner *owners;
    size_t owners_len;
};

/* Of a path, its first len bytes; NULL: nobody has claimed it. */
static struct claim *find(const struct claims *c, const char *path, size_t len) {
    const struct pathmap_slot *slot = pathmap_find(&c->paths, path, len);

    return slot ? &c->v[slot->number] : NULL;
}

/* The owners come one after another, so it is mostly the last. */
static int find_owner(struct claims *c, const struct origin *origin, uint32_t *out) {
    const struct owner *last = c->owners_len ? &c->owners[c->owners_len - 1] : NULL;

    if (!last || strcmp(last->source, origin->source) != 0 || strcmp(last->location, origin->location) != 0) {
        struct owner *grown = reallocarray(c->owners, c->owners_len + 1, sizeof(*grown));
        if (!grown)
            return -ENOMEM;
        c->owners = grown;
        grown[c->owners_len] = (struct owner){strdup(origin->source), strdup(origin->location)};
        if (!grown[c->owners_len].source || !grown[c->owners_len].location) {
            free(grown[c->owners_len].source);
            free(grown[c->owners_len].location);
            return -ENOMEM;
        }
        c->owners_len++;
    }
    *out = (uint32_t)(c->owners_len - 1);
    return 0;
}

static const char *type_name(enum entry_type type) {
    return type == ENTRY_DIR ? "a directory" : type == ENTRY_SYMLINK ? "a link" : "a file";
}

/* Because of the claim on the path's first len bytes. */
static int refuse(const struct claims *c, const struct entry *entry, const struct origin *origin,
                  const struct claim *old, size_t len, struct err *e) {
    const struct owner *other = &c->owners[old->owner];

    if (!entry->path[len])
        return err_set(e, -EEXIST, "/%s cannot be %s of %s (%s): %s (%s) has %s there", entry->path,
                       type_name(entry->type), origin->location, origin->source, other->location, other->source,
                       type_name((enum entry_type)old->type));
    if (old->type == ENTRY_SYMLINK)
        return err_set(e, -EEXIST, "/%s of %s (%s) would pass through the link /%.*s -> %s of %s (%s)", entry->path,
                       origin->location, origin->source, (int)len, entry->path, old->link, other->location,
                       other->source);
    return err_set(e, -EEXIST, "/%s of %s (%s) would lie below /%.*s, which is a file of %s (%s)", entry->path,
                   origin->location, origin->source, (int)len, entry->path, other->location, other->source);
}

/* What is above the path has to be directories, if anything; they stay what they are. */
static int check_above(const struct claims *c, const struct entry *entry, const struct origin *origin, bool *below_dirs,
                       struct err *e) {
    const char *last = strrchr(entry->path, '/');
    const struct claim *parent = last ? find(c, entry->path, (size_t)(last - entry->path)) : NULL;

    *below_dirs = !last || (parent && parent->type == ENTRY_DIR && parent->below_dirs);
    if (*below_dirs)
        return 0;
    *below_dirs = true;
    for (const char *slash = strchr(entry->path, '/'); slash; slash = strchr(slash + 1, '/')) {
        size_t len = (size_t)(slash - entry->path);
        const struct claim *above = find(c, entry->path, len);
        if (above && above->type != ENTRY_DIR)
            return refuse(c, entry, origin, above, len, e);
        *below_dirs = *below_dirs && above;
    }
    return 0;
}

static int put(struct claims *c, struct entry *entry, uint32_t owner, bool below_dirs) {
    const char *link = entry->type == ENTRY_SYMLINK ? arena_string(&c->paths.strings, entry->link) : NULL;
    struct pathmap_slot *slot = ARRAY_ROOM(c->v, c->len, c->cap) < 0 ? NULL : pathmap_add(&c->paths, entry->path);

    if (!slot || (entry->type == ENTRY_SYMLINK && !link))
        return -ENOMEM;
    if (c->paths.used > c->len)
        slot->number = (uint32_t)c->len++;
    c->v[slot->number] =
        (struct claim){.link = link, .type = (unsigned char)entry->type, .owner = owner, .below_dirs = below_dirs};
    entry->kept = slot->path;
    return 0;
}

/* Notes an entry, and where its path is kept; -EEXIST names both owners. */
static int claim(struct claims *c, struct entry *entry, const struct origin *origin, struct err *e) {
    size_t len = strlen(entry->path);
    bool below_dirs;
    uint32_t owner;

    if (find_owner(c, origin, &owner) < 0)
        return err_errno(e, -ENOMEM, "could not hold /%s", entry->path);
    int r = check_above(c, entry, origin, &below_dirs, e);
    if (r < 0)
        return r;
    const struct claim *old = find(c, entry->path, len);
    if (old && (old->type == ENTRY_DIR) != (entry->type == ENTRY_DIR))
        return refuse(c, entry, origin, old, len, e);
    return put(c, entry, owner, below_dirs) < 0 ? err_errno(e, -ENOMEM, "could not hold /%s", entry->path) : 0;
}

static int add(struct output *o, const struct entry *entry, const struct entry_content *content,
               const struct origin *origin, struct err *e) {
    struct claims *c = (struct claims *)o;
    struct entry copy = *entry;
    int r = claim(c, &copy, origin, e);

    return r ? r : output_add(c->inner, &copy, content, origin, e);
}

/* Both belong to whoever called claims_output(). */
static int finish(struct output *o, struct err *e) {
    return output_finish(((struct claims *)o)->inner, e);
}

static void free_nothing(struct output *o) {
    (void)o;
}

int claims_new(struct claims **out, struct err *e) {
    *out = calloc(1, sizeof(**out));
    return *out ? 0 : err_errno(e, -ENOMEM, "could not start");
}

struct output *claims_output(struct claims *c, struct output *inner) {
    static const struct output_type type = {.add = add, .finish = finish, .free = free_nothing};

    c->output.type = &type;
    c->inner = inner;
    return &c->output;
}

void claims_free(struct claims *c) {
    if (!c)
        return;
    for (size_t i = 0; i < c->owners_len; i++) {
        free(c->owners[i].source);
        free(c->owners[i].location);
    }
    pathmap_free(&c->paths);
    free(c->v);
    free(c->owners);
    free(c);
}
