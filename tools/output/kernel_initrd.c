/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kernel+initrd: boot/kernel and boot/cmdline become files of their own, the microcode goes before the initrd. The
 * initrd is a row of archives: those that were made apart, and between them one each for the entries that came in a
 * row. Extended attributes come last, in a table.
 */
#include <errno.h>
#include <string.h>

#include "lib/attributes.h"
#include "tools/image/content.h"
#include "tools/output/attributes.h"
#include "tools/output/cpio.h"
#include "tools/output/kernel_initrd.h"
#include "tools/output/program.h"
#include "tools/output/segment.h"

struct kernel_initrd {
    struct output base;
    char *kernel_path, *initrd_path, *cmdline_path, *ucode_path; /* the last: NULL, or microcode is a file, too */
    struct stream *kernel, *initrd, *cmdline, *ucode;
    struct cpio cpio;
    bool in_cpio;      /* an archive has begun, and has not ended */
    struct entry boot; /* the directory, kept until the initrd is opened */
    struct attributes attributes;
    bool sets_attributes; /* the guest does */
    enum compression compression;
};

static int open_file(const char *path, struct stream **s, struct err *e) {
    return *s ? err_set(e, -EEXIST, "could not write %s: there are two of them", path) : stream_open(path, s, e);
}

static int end_cpio(struct kernel_initrd *k, struct err *e) {
    int r = k->in_cpio ? cpio_end(&k->cpio, e) : 0;

    if (!r && k->in_cpio)
        r = stream_end(k->initrd, e);
    k->in_cpio = false;
    return r;
}

static int begin_cpio(struct kernel_initrd *k, struct err *e) {
    int r = k->initrd ? 0 : stream_open(k->initrd_path, &k->initrd, e);

    if (!r)
        r = stream_compress(k->initrd, k->compression, e);
    if (!r)
        cpio_begin(&k->cpio, k->initrd);
    k->in_cpio = !r;
    if (!r && k->boot.path)
        r = cpio_add(&k->cpio, &k->boot, NULL, e);
    k->boot.path = NULL;
    return r;
}

/* Where the microcode goes to: before the initrd, whose first archive is compressed and may not have begun. */
static int open_ucode(struct kernel_initrd *k, struct stream **to, struct err *e) {
    int r = k->initrd       ? err_set(e, -EINVAL, "could not put the microcode first: it came too late")
            : k->ucode_path ? open_file(k->ucode_path, &k->ucode, e)
                            : stream_open(k->initrd_path, &k->initrd, e);

    *to = k->ucode_path ? k->ucode : k->initrd;
    return r;
}

static int take_file(const char *path, struct stream **s, const struct entry *entry,
                     const struct entry_content *content, struct err *e) {
    int r = open_file(path, s, e);

    if (!r)
        r = stream_copy(*s, content, entry->size, entry->path, e);
    return r ? r : stream_end(*s, e);
}

static int take_ucode(struct kernel_initrd *k, const struct entry *entry, const struct entry_content *content,
                      struct err *e) {
    struct stream *to = NULL;
    int r = open_ucode(k, &to, e);

    if (!r)
        r = stream_copy(to, content, entry->size, entry->path, e);
    return r ? r : stream_end(to, e);
}

static int note_attributes(struct kernel_initrd *k, const struct entry *entry, struct err *e) {
    if (!strcmp(entry->path, ATTRIBUTES_SETTER))
        k->sets_attributes = entry->type == ENTRY_SYMLINK;
    return below_boot(entry->path) ? 0 : attributes_note(&k->attributes, entry, e);
}

static int add(struct output *o, const struct entry *entry, const struct entry_content *content,
               const struct origin *origin, struct err *e) {
    struct kernel_initrd *k = (struct kernel_initrd *)o;

    (void)origin;
    if (!strcmp(entry->path, BOOT_KERNEL))
        return take_file(k->kernel_path, &k->kernel, entry, content, e);
    if (!strcmp(entry->path, BOOT_CMDLINE))
        return take_file(k->cmdline_path, &k->cmdline, entry, content, e);
    if (!strcmp(entry->path, BOOT_UCODE))
        return take_ucode(k, entry, content, e);
    if (below_boot(entry->path))
        return 0;
    if (!strcmp(entry->path, "boot") && !k->initrd) {
        k->boot = (struct entry){.type = ENTRY_DIR, .path = "boot", .mode = entry->mode, .mtime = entry->mtime};
        return 0;
    }
    int r = k->in_cpio ? 0 : begin_cpio(k, e);
    if (!r)
        r = note_attributes(k, entry, e);
    return r ? r : cpio_add(&k->cpio, entry, content, e);
}

struct told {
    struct kernel_initrd *k;
    uint32_t archive;
};

static int tell(void *data, const struct entry *entry, const struct entry_content *content, struct err *e) {
    const struct told *t = data;
    bool replaces = false;
    int r = cpio_tell(&t->k->cpio, t->archive, entry, &replaces, e);

    (void)content;
    if (!r)
        r = note_attributes(t->k, entry, e);
    if (!r && replaces && !t->k->in_cpio)
        r = begin_cpio(t->k, e);
    return r || !replaces ? r : cpio_remove(&t->k->cpio, entry->path, e);
}

static int add_segment(struct output *o, const struct segment *s, struct err *e) {
    struct kernel_initrd *k = (struct kernel_initrd *)o;
    struct told told = {.k = k, .archive = cpio_begin_apart(&k->cpio)};
    struct stream *ucode = NULL;
    int r = k->boot.path ? begin_cpio(k, e) : 0;

    if (!r)
        r = segment_each(s, tell, &told, e);
    if (!r)
        r = end_cpio(k, e);
    if (!r && s->size[SEGMENT_UCODE])
        r = open_ucode(k, &ucode, e);
    if (!r && ucode)
        r = segment_append(s, SEGMENT_UCODE, ucode, e);
    if (!r && s->size[SEGMENT_KERNEL])
        r = open_file(k->kernel_path, &k->kernel, e);
    if (!r && s->size[SEGMENT_KERNEL])
        r = segment_append(s, SEGMENT_KERNEL, k->kernel, e);
    if (r || !s->size[SEGMENT_INITRD])
        return r;
    r = k->initrd ? 0 : stream_open(k->initrd_path, &k->initrd, e);
    if (!r)
        r = stream_compress(k->initrd, COMPRESS_NONE, e);
    return r ? r : segment_append(s, SEGMENT_INITRD, k->initrd, e);
}

static int put_table(struct kernel_initrd *k, const struct buf *table, struct err *e) {
    struct content_source source = content_text(ATTRIBUTES_TABLE, table->data, table->len);
    const struct entry_content content = {.read = content_read, .ctx = &source};
    const struct entry file = {
        .type = ENTRY_FILE, .path = ATTRIBUTES_TABLE, .mode = 0600, .size = table->len, .mtime = IMAGE_TIME};
    const struct entry step = {
        .type = ENTRY_SYMLINK, .path = ATTRIBUTES_STEP, .link = ATTRIBUTES_SERVICE, .mode = 0777, .mtime = IMAGE_TIME};
    int r = k->in_cpio ? 0 : begin_cpio(k, e);

    if (!r)
        r = cpio_add(&k->cpio, &file, &content, e);
    return r ? r : cpio_add(&k->cpio, &step, NULL, e);
}

static int put_attributes(struct kernel_initrd *k, struct err *e) {
    AUTO_BUF struct buf table = {.max = ATTRIBUTES_TABLE_MAX};

    if (!k->sets_attributes)
        return attributes_warn(&k->attributes, NULL,
                               "an initrd has no place for them, and the init image is none of keelson's, or too old, "
                               "which would set them at the boot",
                               e);
    int r = attributes_warn(&k->attributes, attributes_are_not_for_tmpfs,
                            "a root in memory does not take it; one of squashfs does (--root squashfs)", e);
    if (!r)
        r = attributes_put_table(&k->attributes, attributes_are_for_tmpfs, &table, e);
    return r || !table.len ? r : put_table(k, &table, e);
}

static int finish(struct output *o, struct err *e) {
    struct kernel_initrd *k = (struct kernel_initrd *)o;
    int r = k->initrd ? put_attributes(k, e)
                      : err_set(e, -ENOENT, "could not write %s: there is nothing to put into it", k->initrd_path);

    return r ? r : end_cpio(k, e);
}

static int commit(struct output *o, struct err *e) {
    const struct kernel_initrd *k = (struct kernel_initrd *)o;
    struct stream *const all[] = {k->kernel, k->ucode, k->initrd, k->cmdline};
    int r = 0;

    for (size_t i = 0; i < ARRAY_SIZE(all) && !r; i++)
        r = all[i] ? stream_commit(all[i], e) : 0;
    return r;
}

static void free_kernel_initrd(struct output *o) {
    struct kernel_initrd *k = (struct kernel_initrd *)o;
    struct stream *const all[] = {k->kernel, k->ucode, k->initrd, k->cmdline};

    cpio_fini(&k->cpio);
    attributes_fini(&k->attributes);
    for (size_t i = 0; i < ARRAY_SIZE(all); i++)
        if (all[i])
            stream_free(all[i]);
    free(k->kernel_path);
    free(k->initrd_path);
    free(k->cmdline_path);
    free(k->ucode_path);
    free(k);
}

static char *suffixed(const char *base, const char *suffix) {
    char *path = NULL;

    return asprintf(&path, "%s%s", base, suffix) < 0 ? NULL : path;
}

int output_kernel_initrd_new(const char *base, enum compression compression, bool ucode_apart, struct output **out,
                             struct err *e) {
    static const struct output_type type = {
        .add = add, .add_segment = add_segment, .finish = finish, .commit = commit, .free = free_kernel_initrd};
    struct kernel_initrd *k = calloc(1, sizeof(*k));

    if (!k)
        return err_errno(e, -ENOMEM, "could not write %s", base);
    k->base.type = &type;
    k->compression = compression;
    cpio_init(&k->cpio);
    k->kernel_path = suffixed(base, KERNEL_SUFFIX);
    k->initrd_path = suffixed(base, INITRD_SUFFIX);
    k->cmdline_path = suffixed(base, CMDLINE_SUFFIX);
    k->ucode_path = ucode_apart ? suffixed(base, UCODE_SUFFIX) : NULL;
    if (!k->kernel_path || !k->initrd_path || !k->cmdline_path || (ucode_apart && !k->ucode_path)) {
        free_kernel_initrd(&k->base);
        return err_errno(e, -ENOMEM, "could not write %s", base);
    }
    *out = &k->base;
    return 0;
}
