/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/output/small_root.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "init/small_root.h"
#include "lib/fdutil.h"
#include "tools/image/content.h"
#include "tools/output/kernel_initrd.h"
#include "tools/output/program.h"
#include "tools/output/root_image.h"

#define INIT_MAX ((size_t)8 << 20)

struct taken {
    char *path; /* in the tree */
    struct buf data;
};

struct small_root {
    struct output base;
    struct root_image root; /* all but boot/ */
    struct output *parts;   /* kernel, command line, the small initrd */
    struct taken init, deps, builtin, modules[SMALL_ROOT_MODULES_MAX];
    size_t modules_len;
    enum root_kind kind;
};

/* What a squashfs on a loop device can need; which of them a kernel does need, its modules.dep says. */
static const char *const wanted[] = {"erofs.ko",          "libcrc32c.ko",       "crc32c_generic.ko", "loop.ko",
                                     "squashfs.ko",       "zstd_decompress.ko", "zstd_common.ko",    "xxhash.ko",
                                     "lz4_decompress.ko", "lzo_decompress.ko",  "xz_dec.ko",         "zlib_inflate.ko"};

static const char *const drivers[] = {[ROOT_SQUASHFS] = "squashfs", [ROOT_EROFS] = "erofs"};

static struct taken *where_taken(struct small_root *s, const struct entry *entry) {
    const char *slash = strrchr(entry->path, '/'), *name = slash ? slash + 1 : entry->path;

    if (entry->type != ENTRY_FILE)
        return NULL;
    if (!strcmp(entry->path, "init"))
        return &s->init;
    if (fnmatch("lib/modules/*/modules.dep", entry->path, FNM_PATHNAME) == 0)
        return &s->deps;
    if (fnmatch("lib/modules/*/modules.builtin", entry->path, FNM_PATHNAME) == 0)
        return &s->builtin;
    for (size_t i = 0; i < s->modules_len; i++)
        if (s->modules[i].path && !strcmp(entry->path, s->modules[i].path))
            return &s->modules[i]; /* what comes last counts */
    for (size_t i = 0; i < ARRAY_SIZE(wanted); i++)
        if (!strncmp(entry->path, "lib/modules/", 12) && !strcmp(name, wanted[i]) &&
            s->modules_len < SMALL_ROOT_MODULES_MAX)
            return &s->modules[s->modules_len++];
    return NULL;
}

static int take(struct taken *t, const struct entry *entry, const struct entry_content *content, struct err *e) {
    size_t len = (size_t)entry->size;

    free(t->path);
    buf_reset(&t->data);
    t->path = strdup(entry->path);
    char *room = t->path && entry->size <= INIT_MAX ? buf_reserve(&t->data, len) : NULL;
    if (!room)
        return err_errno(e, -ENOMEM, "could not store %s", entry->path);
    for (size_t n = 0; n < len;) {
        ssize_t got = content->read(content->ctx, room + n, len - n, e);
        if (got <= 0)
            return got < 0 ? (int)got : err_set(e, -EBADMSG, "could not read %s: it is cut off", entry->path);
        n += (size_t)got;
    }
    buf_commit(&t->data, len);
    return 0;
}

static int add(struct output *o, const struct entry *entry, const struct entry_content *content,
               const struct origin *origin, struct err *e) {
    struct small_root *s = (struct small_root *)o;
    struct root_image *root = &s->root;

    if (!strcmp(entry->path, "boot") || below_boot(entry->path)) {
        int r = output_add(s->parts, entry, content, origin, e);
        return r || strcmp(entry->path, "boot") != 0 ? r : root_image_add(root, entry, content, origin, e);
    }
    struct taken *t = where_taken(s, entry);
    if (!t)
        return root_image_add(root, entry, content, origin, e);
    int r = take(t, entry, content, e);
    struct content_source source = content_text(entry->path, t->data.data, t->data.len);
    const struct entry_content copy = {.read = content_read, .ctx = &source};
    return r ? r : root_image_add(root, entry, &copy, origin, e);
}

static int put(struct small_root *s, enum entry_type type, const char *path, mode_t mode, const struct buf *data,
               struct err *e) {
    struct content_source source = content_text(path, data ? data->data : "", data ? data->len : 0);
    const struct entry_content content = {.read = content_read, .ctx = &source};
    const struct origin origin = {.source = "keelson", .location = "root"};
    const struct entry entry = {.type = type,
                                .path = path,
                                .mode = mode,
                                .size = data ? data->len : 0,
                                .mtime = IMAGE_TIME,
                                .dev_major = type == ENTRY_CHAR ? 5 : 0,
                                .dev_minor = type == ENTRY_CHAR ? 1 : 0};

    return output_add(s->parts, &entry, type == ENTRY_FILE ? &content : NULL, &origin, e);
}

/* Puts the module into the initrd under its last name, unless it is there, and into the list. */
static int put_module(struct small_root *s, const char *path, size_t len, struct buf *list, struct err *e) {
    for (size_t i = 0; i < s->modules_len; i++) {
        struct taken *t = &s->modules[i];
        const char *inside = t->path ? strstr(t->path, "/kernel/") : NULL;
        if (!inside || strlen(inside + 1) != len || memcmp(inside + 1, path, len) != 0)
            continue;
        const char *name = strrchr(t->path, '/') + 1;
        int r = buf_printf(list, "/%s\n", name) < 0 ? err_errno(e, -ENOMEM, "could not store %s", name) : 0;
        if (!r)
            r = put(s, ENTRY_FILE, name, 0644, &t->data, e);
        free(t->path);
        t->path = NULL; /* once */
        return r;
    }
    return 0;
}

/* A line of modules.dep: "PATH: what it needs, the nearest first". */
static int put_with_deps(struct small_root *s, const char *line, struct buf *list, struct err *e) {
    const char *colon = strchr(line, ':');
    int r = 0;

    for (const char *end = line + strlen(line); end > colon + 1 && !r;) {
        const char *start = end;
        while (start > colon + 1 && start[-1] != ' ')
            start--;
        r = put_module(s, start, (size_t)(end - start), list, e);
        end = start > colon + 1 ? start - 1 : start;
    }
    return r ? r : put_module(s, line, (size_t)(colon - line), list, e);
}

/* True if a line's path ends in /NAME.ko. */
static bool names_module(const char *line, size_t len, const char *name) {
    char file[48];
    size_t n = (size_t)snprintf(file, sizeof(file), "/%s.ko", name);

    return len >= n && !memcmp(line + len - n, file, n);
}

static bool is_builtin(const struct small_root *s, const char *name) {
    AUTO_FREE char *text = s->builtin.data.len ? strndup(s->builtin.data.data, s->builtin.data.len) : NULL;

    for (char *line, *pos = text; pos && (line = next_line(&pos));)
        if (names_module(line, strlen(line), name))
            return true;
    return false;
}

static int put_modules(struct small_root *s, struct err *e) {
    AUTO_BUF struct buf list = BUF_INIT;
    int r = buf_puts(&list, "") < 0 ? err_errno(e, -ENOMEM, "could not list the modules") : 0;

    const char *const needed[] = {"loop", drivers[s->kind]};

    for (size_t i = 0; i < ARRAY_SIZE(needed) && !r; i++) {
        bool found = is_builtin(s, needed[i]);
        AUTO_FREE char *text = s->deps.data.len ? strndup(s->deps.data.data, s->deps.data.len) : NULL;
        for (char *line, *pos = text; !found && !r && pos && (line = next_line(&pos));)
            if (strchr(line, ':') && names_module(line, (size_t)(strchr(line, ':') - line), needed[i])) {
                found = true;
                r = put_with_deps(s, line, &list, e);
            }
        if (!found)
            r = err_set(e, -ENOENT, "could not make a compressed root: the kernel has no %s, built in or as a module",
                        needed[i]);
    }
    return r ? r : put(s, ENTRY_FILE, "modules", 0644, &list, e);
}

static int put_image(struct small_root *s, const char *image, struct err *e) {
    AUTO_CLOSE int fd = open(image, O_RDONLY | O_CLOEXEC);
    off_t size = fd < 0 ? -1 : lseek(fd, 0, SEEK_END);

    if (size < 0 || lseek(fd, 0, SEEK_SET) < 0)
        return err_errno(e, -errno, "could not read %s", image);
    struct content_source source = content_fd(image, fd);
    const struct entry_content content = {.read = content_read, .ctx = &source};
    const struct origin origin = {.source = "keelson", .location = "root"};
    const struct entry entry = {
        .path = &SMALL_ROOT_IMAGE[1], .mode = 0600, .size = (uint64_t)size, .mtime = IMAGE_TIME};
    return output_add(s->parts, &entry, &content, &origin, e);
}

static int finish(struct output *o, struct err *e) {
    struct small_root *s = (struct small_root *)o;
    AUTO_FREE char *image = NULL;

    if (!s->init.data.len || !memmem(s->init.data.data, s->init.data.len, SMALL_ROOT_MARK, strlen(SMALL_ROOT_MARK)))
        return err_set(e, -ENOTSUP,
                       "could not make a compressed root: the appliance's /init is not keelson's, or too old");
    int r = root_image_make(&s->root, s->kind, &image, e);
    if (!r)
        r = put(s, ENTRY_DIR, "dev", 0755, NULL, e);
    if (!r)
        r = put(s, ENTRY_CHAR, "dev/console", 0600, NULL, e);
    if (!r)
        r = put(s, ENTRY_DIR, "root", 0755, NULL, e);
    if (!r)
        r = put(s, ENTRY_FILE, "init", 0755, &s->init.data, e);
    if (!r)
        r = put_modules(s, e);
    if (!r)
        r = put_image(s, image, e);
    return r ? r : output_finish(s->parts, e);
}

static int commit(struct output *o, struct err *e) {
    return output_commit(((struct small_root *)o)->parts, e);
}

static void taken_free(struct taken *t) {
    free(t->path);
    buf_free(&t->data);
}

static void free_small_root(struct output *o) {
    struct small_root *s = (struct small_root *)o;

    if (s->parts)
        output_free(s->parts);
    root_image_fini(&s->root);
    taken_free(&s->init);
    taken_free(&s->deps);
    taken_free(&s->builtin);
    for (size_t i = 0; i < s->modules_len; i++)
        taken_free(&s->modules[i]);
    free(s);
}

int output_small_root_new(const char *base, enum root_kind kind, struct output **out, struct err *e) {
    static const struct output_type type = {.add = add, .finish = finish, .commit = commit, .free = free_small_root};
    struct small_root *s = calloc(1, sizeof(*s));

    if (!s)
        return err_errno(e, -ENOMEM, "could not write %s", base);
    s->base.type = &type;
    s->kind = kind;
    int r = root_image_open(&s->root, base, e);
    if (!r)
        r = output_kernel_initrd_new(base, COMPRESS_NONE, false, &s->parts, e);
    if (r < 0)
        free_small_root(&s->base);
    else
        *out = &s->base;
    return r;
}
