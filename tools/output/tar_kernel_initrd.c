/* SPDX-License-Identifier: Apache-2.0 */
/* tar-kernel-initrd: the files of kernel+initrd, made in a temporary folder, in one tar. */
#include "tools/output/tar_kernel_initrd.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "lib/temp.h"
#include "tools/output/kernel_initrd.h"
#include "tools/output/tar.h"

struct tar_kernel_initrd {
    struct output base;
    char *path;
    struct temp_dir dir;
    struct output *parts;
    struct stream *to;
};

static int add(struct output *o, const struct entry *entry, const struct entry_content *content,
               const struct origin *origin, struct err *e) {
    return output_add(((struct tar_kernel_initrd *)o)->parts, entry, content, origin, e);
}

static int add_segment(struct output *o, const struct segment *s, struct err *e) {
    return output_add_segment(((struct tar_kernel_initrd *)o)->parts, s, e);
}

/* A file that is not there is left out. */
static int put_file(const struct tar_kernel_initrd *t, const char *suffix, const char *name, struct err *e) {
    char path[PATH_MAX];

    if (snprintf(path, sizeof(path), "%s/a%s", t->dir.path, suffix) >= (int)sizeof(path))
        return err_errno(e, -ENAMETOOLONG, "could not write %s", t->path);
    int r = tar_put_file(t->to, name, path, e);
    return r == -ENOENT ? 0 : r;
}

static int finish(struct output *o, struct err *e) {
    static const struct {
        const char *suffix, *name;
    } files[] = {{KERNEL_SUFFIX, "kernel"},
                 {INITRD_SUFFIX, "initrd.img"},
                 {CMDLINE_SUFFIX, "cmdline"},
                 {UCODE_SUFFIX, "ucode.cpio"}};
    struct tar_kernel_initrd *t = (struct tar_kernel_initrd *)o;
    int r = output_complete(t->parts, e);

    if (!r)
        r = stream_open(t->path, &t->to, e);
    for (size_t i = 0; i < ARRAY_SIZE(files) && !r; i++)
        r = put_file(t, files[i].suffix, files[i].name, e);
    return r ? r : tar_end(t->to, e);
}

static int commit(struct output *o, struct err *e) {
    return stream_commit(((struct tar_kernel_initrd *)o)->to, e);
}

static void free_tar_kernel_initrd(struct output *o) {
    struct tar_kernel_initrd *t = (struct tar_kernel_initrd *)o;

    if (t->parts)
        output_free(t->parts);
    if (t->to)
        stream_free(t->to);
    temp_dir_remove(&t->dir);
    free(t->path);
    free(t);
}

static int open_parts(struct tar_kernel_initrd *t, enum compression compression, struct err *e) {
    char base[PATH_MAX];
    int r = temp_dir_make_beside(&t->dir, strcmp(t->path, "-") != 0 ? t->path : NULL, e);

    if (!r && snprintf(base, sizeof(base), "%s/a", t->dir.path) >= (int)sizeof(base))
        r = err_errno(e, -ENAMETOOLONG, "could not write %s", t->path);
    return r ? r : output_kernel_initrd_new(base, compression, true, &t->parts, e);
}

int output_tar_kernel_initrd_new(const char *path, enum compression compression, struct output **out, struct err *e) {
    static const struct output_type type = {
        .add = add, .add_segment = add_segment, .finish = finish, .commit = commit, .free = free_tar_kernel_initrd};
    struct tar_kernel_initrd *t = calloc(1, sizeof(*t));

    if (!t)
        return err_errno(e, -ENOMEM, "could not write %s", path);
    t->base.type = &type;
    t->path = strdup(path);
    int r = t->path ? open_parts(t, compression, e) : err_errno(e, -ENOMEM, "could not write %s", path);
    if (r < 0)
        free_tar_kernel_initrd(&t->base);
    else
        *out = &t->base;
    return r;
}
