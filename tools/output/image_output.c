/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/output/image_output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/fdutil.h"
#include "lib/temp.h"
#include "tools/output/trees.h"

#define CHUNK ((size_t)1 << 20)

struct image_output {
    struct output base;
    char *path;
    image_make_fn *make;
    struct temp_dir dir;
    struct trees trees; /* if any are wanted */
    char parts_base[PATH_MAX];
    char made[PATH_MAX];  /* the image, in the folder */
    struct output *parts; /* kernel+initrd in the folder */
    const char *arch;
    uint64_t size_mib;
};

static int add(struct output *o, const struct entry *entry, const struct entry_content *content,
               const struct origin *origin, struct err *e) {
    struct image_output *i = (struct image_output *)o;

    return i->trees.wanted ? trees_add(&i->trees, i->parts, entry, content, origin, e)
                           : output_add(i->parts, entry, content, origin, e);
}

static int add_segment(struct output *o, const struct segment *s, struct err *e) {
    return output_add_segment(((struct image_output *)o)->parts, s, e);
}

static int copy_into(int fd, const char *from) {
    AUTO_CLOSE int in = open(from, O_RDONLY | O_CLOEXEC);
    AUTO_FREE char *chunk = malloc(CHUNK);
    int r = in < 0 ? -errno : chunk ? 0 : -ENOMEM;
    ssize_t n = 0;

    while (!r && (n = read_full(in, chunk, CHUNK)) > 0)
        r = write_full(fd, chunk, (size_t)n);
    if (!r && n < 0)
        r = (int)n;
    /* A disk tells only so that it does not take it; what is no disk does not know the call. */
    return !r && fsync(fd) < 0 && errno != EINVAL && errno != EROFS ? -errno : r;
}

int image_pass_on(const char *from, const char *to, struct err *e) {
    AUTO_CLOSE int fd = temp_special_open(to);
    int r = fd >= 0 ? copy_into(fd, from) : fd == -ENOENT ? 0 : fd;

    return r < 0 ? err_errno(e, r, "could not write %s", to) : 0;
}

int image_give_name(const char *from, const char *to, struct err *e) {
    int r = temp_is_special(to) ? 0 : temp_file_rename(from, to);

    return r < 0 ? err_errno(e, r, "could not write %s", to) : 0;
}

static int finish(struct output *o, struct err *e) {
    struct image_output *i = (struct image_output *)o;
    AUTO_FREE struct parts *p = calloc(1, sizeof(*p));
    int r = p ? output_complete(i->parts, e) : err_errno(e, -ENOMEM, "could not write %s", i->path);

    if (!r)
        r = parts_load(p, i->dir.path, i->parts_base, i->arch, e);
    if (!r)
        r = parts_path(p, "image", i->made, e);
    if (r < 0)
        return r;
    p->size_mib = i->size_mib;
    r = i->make(p, i->made, e);
    return r < 0 ? err_wrap(e, r, "could not make %s", i->path) : image_pass_on(i->made, i->path, e);
}

static int commit(struct output *o, struct err *e) {
    const struct image_output *i = (struct image_output *)o;

    return image_give_name(i->made, i->path, e);
}

static void free_image(struct output *o) {
    struct image_output *i = (struct image_output *)o;

    if (i->parts)
        output_free(i->parts);
    trees_free(&i->trees);
    temp_dir_remove(&i->dir);
    free(i->path);
    free(i);
}

static int open_parts(struct image_output *i, const struct format_order *order, struct err *e) {
    int r = temp_dir_make_beside(&i->dir, i->path, e);

    if (r < 0)
        return r;
    if (snprintf(i->parts_base, sizeof(i->parts_base), "%s/a", i->dir.path) >= (int)sizeof(i->parts_base))
        return err_errno(e, -ENAMETOOLONG, "could not write %s", i->path);
    return format_open_kernel_initrd(i->parts_base, order, &i->parts, e);
}

int output_image_new(const char *path, image_make_fn *make, const char *trees, const struct format_order *order,
                     struct output **out, struct err *e) {
    static const struct output_type of_entries = {.add = add, .finish = finish, .commit = commit, .free = free_image};
    static const struct output_type of_segments = {
        .add = add, .add_segment = add_segment, .finish = finish, .commit = commit, .free = free_image};
    struct image_output *i = calloc(1, sizeof(*i));

    if (!i)
        return err_errno(e, -ENOMEM, "could not write %s", path);
    i->base.type = &of_entries;
    i->make = make;
    i->trees = (struct trees){.dir = i->dir.path, .wanted = trees};
    i->arch = order->arch;
    i->size_mib = order->size_mib;
    i->path = strdup(path);
    int r = i->path ? open_parts(i, order, e) : err_errno(e, -ENOMEM, "could not write %s", path);
    if (r < 0)
        free_image(&i->base);
    else
        *out = &i->base;
    if (!r && !trees && output_takes_segments(i->parts))
        i->base.type = &of_segments;
    return r;
}
