/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/build/claims.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tools/image/arena.h"

#define SLOTS_MIN 1024 /* a power of two, as all numbers of slots */

struct owner {
    char *source, *location;
};

struct claim {
    const char *path; /* NULL: an empty slot */
    const char *link; /* a symlink's target */
    enum entry_type type;
    uint32_t owner; /* index */
};

struct claims {
    struct output output;
    struct output *inner;
    struct arena strings;
    struct claim *slots;
    size_t slots_len, used;
    struct owner *owners;
    size_t owners_len;
};

static uint64_t hash_of(const char *path, size_t len) {
    uint64_t h = 14695981039346656037U; /* FNV-1a */

    for (size_t i = 0; i < len; i++)
        h = (h ^ (unsigned char)path[i]) * 1099511628211U;
    return h;
}

/* The slot of the path, or the empty one where it belongs. At most three quarters of the slots are used. */
static struct claim *find(const struct claims *c, const char *path, size_t len) {
    for (uint64_t i = hash_of(path, len);; i++) {
        struct claim *slot = &c->slots[i & (c->slots_len - 1)];
        if (!slot->path || (!strncmp(slot->path, path, len) && !slot->path[len]))
            return slot;
    }
}

static int grow(struct claims *c) {
    struct claims bigger = *c;

    if (c->used < c->slots_len / 4 * 3)
        return 0;
    bigger.slots_len = 2 * c->slots_len;
    bigger.slots = calloc(bigger.slots_len, sizeof(*bigger.slots));
    if (!bigger.slots)
        return -ENOMEM;
    for (size_t i = 0; i < c->slots_len; i++)
        if (c->slots[i].path)
            *find(&bigger, c->slots[i].path, strlen(c->slots[i].path)) = c->slots[i];
    free(c->slots);
    *c = bigger;
    return 0;
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

/* "LOCATION, SOURCE" of who has made the claim. */
static int refuse(const struct claims *c, const struct entry *entry, const struct origin *origin,
                  const struct claim *old, struct err *e) {
    const struct owner *other = &c->owners[old->owner];

    if (!strcmp(old->path, entry->path))
        return err_set(e, -EEXIST, "/%s cannot be %s of %s (%s): %s (%s) has %s there", entry->path,
                       type_name(entry->type), origin->location, origin->source, other->location, other->source,
                       type_name(old->type));
    if (old->type == ENTRY_SYMLINK)
        return err_set(e, -EEXIST, "/%s of %s (%s) would pass through the link /%s -> %s of %s (%s)", entry->path,
                       origin->location, origin->source, old->path, old->link, other->location, other->source);
    return err_set(e, -EEXIST, "/%s of %s (%s) would lie below /%s, which is a file of %s (%s)", entry->path,
                   origin->location, origin->source, old->path, other->location, other->source);
}

static int put(struct claims *c, struct claim *slot, const struct entry *entry, uint32_t owner) {
    const char *path = slot->path ? slot->path : arena_string(&c->strings, entry->path);
    const char *link = entry->type == ENTRY_SYMLINK ? arena_string(&c->strings, entry->link) : NULL;

    c->used += !slot->path;
    *slot = (struct claim){.path = path, .link = link, .type = entry->type, .owner = owner};
    return path && (link || entry->type != ENTRY_SYMLINK) ? 0 : -ENOMEM;
}

int claims_add(struct claims *c, const struct entry *entry, const struct origin *origin, struct err *e) {
    uint32_t owner;

    if (grow(c) < 0 || find_owner(c, origin, &owner) < 0)
        return err_errno(e, -ENOMEM, "could not hold /%s", entry->path);
    for (const char *slash = strchr(entry->path, '/'); slash; slash = strchr(slash + 1, '/')) {
        const struct claim *above = find(c, entry->path, (size_t)(slash - entry->path));
        if (above->path && above->type != ENTRY_DIR)
            return refuse(c, entry, origin, above, e);
    }
    struct claim *slot = find(c, entry->path, strlen(entry->path));
    if (slot->path && (slot->type == ENTRY_DIR) != (entry->type == ENTRY_DIR))
        return refuse(c, entry, origin, slot, e);
    return put(c, slot, entry, owner) < 0 ? err_errno(e, -ENOMEM, "could not hold /%s", entry->path) : 0;
}

static int add(struct output *o, const struct entry *entry, const struct entry_content *content,
               const struct origin *origin, struct err *e) {
    struct claims *c = (struct claims *)o;
    int r = claims_add(c, entry, origin, e);

    return r ? r : output_add(c->inner, entry, content, origin, e);
}

/* Both belong to whoever called claims_output(). */
static int finish(struct output *o, struct err *e) {
    return output_finish(((struct claims *)o)->inner, e);
}

static void free_nothing(struct output *o) {
    (void)o;
}

int claims_new(struct claims **out, struct err *e) {
    AUTO_CLAIMS struct claims *c = calloc(1, sizeof(*c));

    if (c)
        c->slots = calloc(SLOTS_MIN, sizeof(*c->slots));
    if (!c || !c->slots)
        return err_errno(e, -ENOMEM, "could not start");
    c->slots_len = SLOTS_MIN;
    *out = steal_ptr(&c);
    return 0;
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
    arena_free(&c->strings);
    free(c->slots);
    free(c->owners);
    free(c);
}
