/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/output/kernel_root.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tools/output/image_output.h"
#include "tools/output/kernel_initrd.h"
#include "tools/output/root_image.h"
#include "tools/output/stream.h"

enum { KERNEL, CMDLINE, FILES };

static const struct {
    const char *entry, *suffix;
} files[FILES] = {[KERNEL] = {BOOT_KERNEL, KERNEL_SUFFIX}, [CMDLINE] = {BOOT_CMDLINE, CMDLINE_SUFFIX}};

struct kernel_root {
    struct output base;
    struct root_image root;
    enum root_kind kind;
    char *path, *image; /* image: what is to be given this name */
    char *paths[FILES];
    struct stream *streams[FILES];
};

static int add(struct output *o, const struct entry *entry, const struct entry_content *content,
               const struct origin *origin, struct err *e) {
    struct kernel_root *k = (struct kernel_root *)o;

    for (size_t i = 0; i < FILES; i++)
        if (!strcmp(entry->path, files[i].entry)) {
            int r = k->streams[i] ? err_set(e, -EEXIST, "could not write %s: there are two of them", k->paths[i])
                                  : stream_open(k->paths[i], &k->streams[i], e);
            return r ? r : stream_copy(k->streams[i], content, entry->size, entry->path, e);
        }
    return below_boot(entry->path) ? 0 : root_image_add(&k->root, entry, content, origin, e);
}

static int finish(struct output *o, struct err *e) {
    struct kernel_root *k = (struct kernel_root *)o;
    int r = k->streams[KERNEL] ? 0 : err_set(e, -ENOENT, "could not make %s: the YAML has no kernel", k->path);

    if (!r)
        r = root_image_make(&k->root, k->kind, &k->image, e);
    for (size_t i = 0; i < FILES && !r; i++)
        r = k->streams[i] ? stream_end(k->streams[i], e) : 0;
    return r < 0 ? err_wrap(e, r, "could not make %s", k->path) : image_pass_on(k->image, k->path, e);
}

static int commit(struct output *o, struct err *e) {
    const struct kernel_root *k = (struct kernel_root *)o;
    int r = 0;

    for (size_t i = 0; i < FILES && !r; i++)
        r = k->streams[i] ? stream_commit(k->streams[i], e) : 0;
    return r ? r : image_give_name(k->image, k->path, e);
}

static void free_kernel_root(struct output *o) {
    struct kernel_root *k = (struct kernel_root *)o;

    for (size_t i = 0; i < FILES; i++) {
        if (k->streams[i])
            stream_free(k->streams[i]);
        free(k->paths[i]);
    }
    root_image_fini(&k->root);
    free(k->path);
    free(k->image);
    free(k);
}

static int name_files(struct kernel_root *k, const char *base, const char *path, struct err *e) {
    k->path = strdup(path);
    bool ok = k->path != NULL;
    for (size_t i = 0; i < FILES; i++)
        if (asprintf(&k->paths[i], "%s%s", base, files[i].suffix) < 0) {
            k->paths[i] = NULL;
            ok = false;
        }
    return ok ? 0 : err_errno(e, -ENOMEM, "could not write %s", path);
}

int output_kernel_root_new(const char *base, const char *path, enum root_kind kind, struct output **out,
                           struct err *e) {
    static const struct output_type type = {.add = add, .finish = finish, .commit = commit, .free = free_kernel_root};
    struct kernel_root *k = calloc(1, sizeof(*k));

    if (!k)
        return err_errno(e, -ENOMEM, "could not write %s", path);
    k->base.type = &type;
    k->kind = kind;
    int r = name_files(k, base, path, e);
    if (!r)
        r = root_image_open(&k->root, path, e);
    if (r < 0)
        free_kernel_root(&k->base);
    else
        *out = &k->base;
    return r;
}
