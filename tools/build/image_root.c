/* SPDX-License-Identifier: Apache-2.0 */
/* The root of an image on its way into the tree. */
#include <errno.h>
#include <string.h>

#include "tools/build/build_priv.h"

#define HOSTS                                                                                                          \
    "127.0.0.1       localhost\n::1     localhost ip6-localhost ip6-loopback\nfe00::0 ip6-localnet\n"                  \
    "ff00::0 ip6-mcastprefix\nff02::1 ip6-allnodes\nff02::2 ip6-allrouters\n"
#define RESOLV "\n# no resolv.conf configured\n"

/* What every root has, whatever the image says; sorted, parents first. */
static const struct fixed {
    const char *path;
    enum entry_type type;
    mode_t mode;
    const char *text; /* contents or link target */
    bool images_wins; /* the image's own stays, with our time */
} fixed[] = {
    {"dev", ENTRY_DIR, 0755, NULL, false},
    {"dev/pts", ENTRY_DIR, 0755, NULL, false},
    {"dev/shm", ENTRY_DIR, 0755, NULL, false},
    {"etc", ENTRY_DIR, 0755, NULL, false},
    {"etc/hosts", ENTRY_FILE, 0644, HOSTS, false},
    {"etc/mtab", ENTRY_SYMLINK, 0755, "/proc/mounts", true},
    {"etc/resolv.conf", ENTRY_FILE, 0644, RESOLV, false},
    {"proc", ENTRY_DIR, 0755, NULL, false},
    {"sys", ENTRY_DIR, 0755, NULL, false},
};
#define FIXED_RESOLV 6

static const char *const excluded[] = {".dockerenv", "Dockerfile", "dev/console", "etc/hostname"};

struct root {
    const struct build *build;
    const char *prefix;
    struct origin origin;
    const char *resolv_link;
    struct buf *apk_db;
    bool seen[ARRAY_SIZE(fixed)];
    char path[8192], link[8192];
};

static int prefixed(const struct root *root, char *out, size_t len, const char *path, struct err *e) {
    int n = snprintf(out, len, "%s%s%s", root->prefix, *root->prefix ? "/" : "", path);

    return n < 0 || (size_t)n >= len ? err_set(e, -ENAMETOOLONG, "the path %s is too long", path) : 0;
}

static int add_fixed(struct root *root, size_t i, struct err *e) {
    const struct fixed *f = &fixed[i];
    bool link = i == FIXED_RESOLV && root->resolv_link;

    root->seen[i] = true;
    int r = prefixed(root, root->path, sizeof(root->path), f->path, e);
    if (r < 0)
        return r;
    if (f->type == ENTRY_FILE && !link)
        return add_bytes(root->build, &root->origin, root->path, f->mode, f->text, strlen(f->text), e);
    const struct entry entry = {
        .type = link ? ENTRY_SYMLINK : f->type,
        .path = root->path,
        .link = link ? root->resolv_link : f->text,
        .mode = f->mode,
        .mtime = DEFAULT_MTIME,
    };
    return output_add(root->build->output, &entry, NULL, &root->origin, e);
}

struct tee {
    const struct entry_content *from;
    struct buf *to;
};

static ssize_t read_tee(void *ctx, void *data, size_t len, struct err *e) {
    struct tee *t = ctx;
    ssize_t n = t->from->read(t->from->ctx, data, len, e);

    if (n > 0 && buf_append(t->to, data, (size_t)n) < 0)
        return err_set(e, -EFBIG, "the package database is too big");
    return n;
}

/* Passes it on, and keeps the contents and two newlines after them. */
static int add_apk_db(struct root *root, const struct entry *entry, const struct entry_content *content,
                      struct err *e) {
    struct tee tee = {.from = content, .to = root->apk_db};
    const struct entry_content both = {.read = read_tee, .ctx = &tee};
    int r = output_add(root->build->output, entry, &both, &root->origin, e);

    return r || buf_puts(root->apk_db, "\n\n") == 0 ? r : err_errno(e, -ENOMEM, "could not hold %s", entry->path);
}

static int add_entry(void *data, const struct entry *original, const struct entry_content *content, struct err *e) {
    struct root *root = data;
    struct entry entry = *original;

    for (size_t i = 0; i < ARRAY_SIZE(excluded); i++)
        if (!strcmp(entry.path, excluded[i]))
            return 0;
    for (size_t i = 0; i < ARRAY_SIZE(fixed); i++)
        if (!strcmp(entry.path, fixed[i].path)) {
            if (!fixed[i].images_wins)
                return add_fixed(root, i, e);
            root->seen[i] = true;
            entry.mtime = DEFAULT_MTIME;
        }
    int r = prefixed(root, root->path, sizeof(root->path), entry.path, e);
    entry.path = root->path;
    if (!r && entry.type == ENTRY_HARDLINK) {
        r = prefixed(root, root->link, sizeof(root->link), entry.link, e);
        entry.link = root->link;
    }
    if (r < 0)
        return r;
    if (root->apk_db && entry.type == ENTRY_FILE && !strcmp(original->path, APK_DB))
        return add_apk_db(root, &entry, content, e);
    return output_add(root->build->output, &entry, content, &root->origin, e);
}

/* The image's own is not taken, but what else it is called is. */
static void list_alone(const char *out[ARRAY_SIZE(excluded) + ARRAY_SIZE(fixed) + 1]) {
    size_t len = 0;

    for (size_t i = 0; i < ARRAY_SIZE(excluded); i++)
        out[len++] = excluded[i];
    for (size_t i = 0; i < ARRAY_SIZE(fixed); i++)
        if (!fixed[i].images_wins)
            out[len++] = fixed[i].path;
    out[len] = NULL;
}

int add_image_root(const struct build *b, const struct image *img, const char *prefix, const struct origin *origin,
                   const char *resolv_link, struct buf *apk_db, struct err *e) {
    struct root root = {
        .build = b,
        .prefix = prefix,
        .origin = *origin,
        .resolv_link = resolv_link,
        .apk_db = apk_db,
    };
    const char *alone[ARRAY_SIZE(excluded) + ARRAY_SIZE(fixed) + 1];
    const struct image_walk_also also = {.alone = alone};
    int r = *prefix ? add_dirs(b, &root.origin, prefix, e) : 0;

    list_alone(alone);
    if (!r)
        r = image_walk_with(img, &also, add_entry, &root, e);
    for (size_t i = 0; i < ARRAY_SIZE(fixed) && !r; i++)
        if (!root.seen[i])
            r = add_fixed(&root, i, e);
    return r;
}
