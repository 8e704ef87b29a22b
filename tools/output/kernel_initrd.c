/* SPDX-License-Identifier: Apache-2.0 */
/* kernel+initrd: boot/kernel and boot/cmdline become files of their own, the microcode goes before the initrd. */
#include <errno.h>
#include <string.h>

#include "tools/output/cpio.h"

struct kernel_initrd {
    struct output base;
    char *kernel_path, *initrd_path, *cmdline_path;
    struct stream *kernel, *initrd, *cmdline;
    struct cpio cpio;
    struct entry boot; /* the directory, kept until the initrd is opened */
    enum compression compression;
};

/* Opened by the first thing that goes into it, so that microcode, if there is any, comes first and raw. */
static int open_initrd(struct kernel_initrd *k, const struct entry *ucode, const struct entry_content *content,
                       struct err *e) {
    int r = stream_open(k->initrd_path, &k->initrd, e);

    k->cpio.stream = k->initrd;
    if (!r && ucode)
        r = stream_copy(k->initrd, content, ucode->size, ucode->path, e);
    if (!r)
        r = stream_compress(k->initrd, k->compression, e);
    if (!r && k->boot.path)
        r = cpio_add(&k->cpio, &k->boot, NULL, e);
    return r;
}

static int take_file(const char *path, struct stream **s, const struct entry *entry,
                     const struct entry_content *content, struct err *e) {
    if (*s)
        return err_set(e, -EEXIST, "could not write %s: there are two of them", path);
    int r = stream_open(path, s, e);
    if (!r)
        r = stream_copy(*s, content, entry->size, entry->path, e);
    return r ? r : stream_end(*s, e);
}

static int add(struct output *o, const struct entry *entry, const struct entry_content *content,
               const struct origin *origin, struct err *e) {
    struct kernel_initrd *k = (struct kernel_initrd *)o;

    (void)origin;
    if (!strcmp(entry->path, "boot/kernel"))
        return take_file(k->kernel_path, &k->kernel, entry, content, e);
    if (!strcmp(entry->path, "boot/cmdline"))
        return take_file(k->cmdline_path, &k->cmdline, entry, content, e);
    if (!strcmp(entry->path, "boot/ucode.cpio"))
        return k->initrd ? err_set(e, -EINVAL, "could not put the microcode first: it came too late")
                         : open_initrd(k, entry, content, e);
    if (!strncmp(entry->path, "boot/", 5))
        return 0;
    if (!strcmp(entry->path, "boot") && !k->initrd) {
        k->boot = (struct entry){.type = ENTRY_DIR, .path = "boot", .mode = entry->mode, .mtime = entry->mtime};
        return 0;
    }
    int r = k->initrd ? 0 : open_initrd(k, NULL, NULL, e);
    return r ? r : cpio_add(&k->cpio, entry, content, e);
}

static int finish(struct output *o, struct err *e) {
    struct kernel_initrd *k = (struct kernel_initrd *)o;
    struct stream *const all[] = {k->kernel, k->initrd, k->cmdline};

    if (!k->initrd)
        return err_set(e, -ENOENT, "could not write %s: there is nothing to put into it", k->initrd_path);
    int r = cpio_end(&k->cpio, e);
    if (!r)
        r = stream_end(k->initrd, e);
    for (size_t i = 0; i < ARRAY_SIZE(all) && !r; i++)
        r = all[i] ? stream_commit(all[i], e) : 0;
    return r;
}

static void free_kernel_initrd(struct output *o) {
    struct kernel_initrd *k = (struct kernel_initrd *)o;
    struct stream *const all[] = {k->kernel, k->initrd, k->cmdline};

    cpio_fini(&k->cpio);
    for (size_t i = 0; i < ARRAY_SIZE(all); i++)
        if (all[i])
            stream_free(all[i]);
    free(k->kernel_path);
    free(k->initrd_path);
    free(k->cmdline_path);
    free(k);
}

int output_kernel_initrd_new(const char *base, enum compression compression, struct output **out, struct err *e) {
    static const struct output_type type = {.add = add, .finish = finish, .free = free_kernel_initrd};
    struct kernel_initrd *k = calloc(1, sizeof(*k));

    if (!k)
        return err_errno(e, -ENOMEM, "could not write %s", base);
    k->base.type = &type;
    k->compression = compression;
    if (asprintf(&k->kernel_path, "%s-kernel", base) < 0)
        k->kernel_path = NULL;
    if (asprintf(&k->initrd_path, "%s-initrd.img", base) < 0)
        k->initrd_path = NULL;
    if (asprintf(&k->cmdline_path, "%s-cmdline", base) < 0)
        k->cmdline_path = NULL;
    int r = k->kernel_path && k->initrd_path && k->cmdline_path ? cpio_init(&k->cpio, NULL, e)
                                                                : err_errno(e, -ENOMEM, "could not write %s", base);
    if (r < 0)
        free_kernel_initrd(&k->base);
    else
        *out = &k->base;
    return r;
}
