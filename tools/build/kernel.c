/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel image: its kernel and microcode go to boot/, its tar (modules) is unpacked into the root as it passes. */
#include <archive.h>
#include <errno.h>
#include <string.h>

#include "lib/array.h"
#include "lib/log.h"
#include "tools/build/decompress.h"
#include "tools/build/plan.h"
#include "tools/image/content.h"
#include "tools/image/pathmap.h"
#include "tools/image/tar.h"

struct kernel {
    const struct build *build;
    struct origin origin;
    const char *binary, *tar, *ucode; /* names in the image; NULL: not wanted */
    bool found_binary, found_tar, found_ucode;
    const char *tar_layer; /* the layer that has the tar */
    struct pathmap names;  /* what has several names in the tar -> index into counts */
    uint32_t *counts;
    size_t counts_len, counts_cap;
};

static void forget_names(struct kernel *k) {
    pathmap_free(&k->names);
    free(k->counts);
    k->counts = NULL;
    k->counts_len = k->counts_cap = 0;
}

struct tar_source {
    const struct entry_content *content;
    struct err *e;
    char chunk[65536];
};

static la_ssize_t read_tar_chunk(struct archive *a, void *data, const void **bytes) {
    struct tar_source *s = data;
    ssize_t n = s->content->read(s->content->ctx, s->chunk, sizeof(s->chunk), s->e);

    if (n < 0)
        archive_set_error(a, (int)-n, "%s", s->e->msg);
    *bytes = s->chunk;
    return n;
}

static uint32_t *count_of(const struct kernel *k, const char *path) {
    const struct pathmap_slot *slot = pathmap_find(&k->names, path, strlen(path));

    return slot ? &k->counts[slot->number] : NULL;
}

/* An initrd has to be told of a file's other names when its first one comes, so the tar is read twice. */
static int count_names(void *data, const struct entry *entry, const struct entry_content *content, struct err *e) {
    struct kernel *k = data;
    struct pathmap_slot *target, *name;

    (void)content;
    if (entry->type != ENTRY_HARDLINK)
        return 0;
    if (!count_of(k, entry->link)) {
        if (ARRAY_ROOM(k->counts, k->counts_len, k->counts_cap) < 0 || !(target = pathmap_add(&k->names, entry->link)))
            return err_errno(e, -ENOMEM, "could not read %s", k->tar);
        target->number = (uint32_t)k->counts_len;
        k->counts[k->counts_len++] = 1;
    }
    uint32_t *count = count_of(k, entry->link);
    if (!(name = pathmap_add(&k->names, entry->path)))
        return err_errno(e, -ENOMEM, "could not read %s", k->tar);
    name->number = (uint32_t)(count - k->counts);
    ++*count;
    return 0;
}

static int add_module(void *data, const struct entry *entry, const struct entry_content *content, struct err *e) {
    const struct kernel *k = data;
    const uint32_t *count = count_of(k, entry->path);
    struct entry module = *entry;

    module.layer = k->tar_layer;
    module.nlink = count ? *count : 1;
    return *entry->path ? output_add(k->build->output, &module, content, &k->origin, e) : 0;
}

static int read_tar(struct kernel *k, const struct entry_content *content, entry_fn *fn, struct err *e) {
    AUTO_FREE struct tar_source *s = calloc(1, sizeof(*s));
    struct archive *a = archive_read_new();
    int r = 0;

    if (!s || !a || archive_read_support_format_tar(a) != ARCHIVE_OK ||
        archive_read_support_format_empty(a) != ARCHIVE_OK)
        r = err_errno(e, -ENOMEM, "could not read %s", k->tar);
    if (!r) {
        s->content = content;
        s->e = e;
        if (archive_read_open(a, s, NULL, read_tar_chunk, NULL) != ARCHIVE_OK)
            r = err_set(e, -EBADMSG, "could not read %s: %s", k->tar, archive_error_string(a));
    }
    if (!r)
        r = tar_read(a, k->tar, fn, k, e);
    (void)archive_read_free(a);
    return r;
}

static int add_boot_file(struct kernel *k, const char *path, mode_t mode, const struct entry *entry,
                         const struct entry_content *content, struct err *e) {
    struct entry file = {.type = ENTRY_FILE,
                         .path = path,
                         .mode = mode,
                         .size = entry->size,
                         .mtime = DEFAULT_MTIME,
                         .layer = entry->layer};

    if (entry->type != ENTRY_FILE)
        return err_set(e, -EINVAL, "%s in the kernel image is not a regular file", entry->path);
    return output_add(k->build->output, &file, content, &k->origin, e);
}

/* The kernel that is in the kernel. */
static int add_decompressed(struct kernel *k, const struct entry *entry, const struct entry_content *content,
                            struct err *e) {
    AUTO_FCLOSE FILE *f = NULL;
    struct entry whole = *entry;
    int r = kernel_decompress(content, &f, &whole.size, e);

    if (r < 0)
        return r;
    struct content_source source = content_fd(entry->path, fileno(f));
    const struct entry_content expanded = {.read = content_read, .ctx = &source};
    return add_boot_file(k, BOOT_KERNEL, whole.mode, &whole, &expanded, e);
}

static int add_ucode(void *data, const struct entry *entry, const struct entry_content *content, struct err *e) {
    struct kernel *k = data;

    if (strcmp(entry->path, k->ucode) != 0)
        return 0;
    k->found_ucode = true;
    return add_boot_file(k, BOOT_UCODE, entry->mode, entry, content, e);
}

/* Of several layers, the last one that has it counts. */
static int look_at_tar(void *data, const struct entry *entry, const struct entry_content *content, struct err *e) {
    struct kernel *k = data;

    if (!k->tar || !content || strcmp(entry->path, k->tar) != 0)
        return 0;
    forget_names(k);
    return read_tar(k, content, count_names, e);
}

static int add_rest(void *data, const struct entry *entry, const struct entry_content *content, struct err *e) {
    struct kernel *k = data;

    if (!strcmp(entry->path, k->binary)) {
        k->found_binary = true;
        return k->build->decompress_kernel && content ? add_decompressed(k, entry, content, e)
                                                      : add_boot_file(k, BOOT_KERNEL, entry->mode, entry, content, e);
    }
    k->tar_layer = entry->layer;
    if (!k->tar || strcmp(entry->path, k->tar) != 0)
        return 0;
    k->found_tar = true;
    return entry->type == ENTRY_FILE ? read_tar(k, content, add_module, e)
                                     : err_set(e, -EINVAL, "%s is not a regular file", entry->path);
}

static const char *name_of(const char *wanted, const char *otherwise) {
    if (!wanted)
        return otherwise;
    return *wanted && strcmp(wanted, "none") != 0 ? wanted : NULL;
}

static struct kernel kernel_of(const struct build *b) {
    const char *binary = b->config->kernel.binary;

    return (struct kernel){.build = b,
                           .binary = binary && *binary ? binary : "kernel",
                           .tar = name_of(b->config->kernel.tar, "kernel.tar"),
                           .ucode = name_of(b->config->kernel.ucode, NULL)};
}

static int lacks(const struct kernel *k, const struct image *img, struct err *e) {
    const struct config *c = k->build->config;
    const char *place = k->found_binary ? c->kernel.tar_place : c->kernel.binary_place;

    return err_set(e, -ENOENT, "%s: could not find \"%s\" in the kernel image %s; see kernel.%s",
                   place ? place : c->kernel.place, k->found_binary ? k->tar : k->binary, image_ref(img),
                   k->found_binary ? "tar" : "binary");
}

static int emit_kernel(const struct build *b, const struct plan *plan, struct part *p, struct err *e) {
    const struct image_walk_also also = {.look = look_at_tar};
    struct kernel k = kernel_of(b);

    (void)plan;
    k.origin = p->origin;
    int r = add_dir(b, &k.origin, "boot", e);
    if (!r && k.ucode) /* a pass of its own: it has to be in the initrd before the kernel's tar */
        r = image_walk(p->img, add_ucode, &k, e);
    if (!r)
        r = image_walk_with(p->img, &also, add_rest, &k, e);
    forget_names(&k);
    if (r < 0)
        return r;
    if (!k.found_binary || (k.tar && !k.found_tar))
        return lacks(&k, p->img, e);
    buf_reset(&p->note);
    if (k.ucode && !k.found_ucode && buf_puts(&p->note, k.ucode) < 0)
        return err_errno(e, -ENOMEM, "could not note %s", k.ucode);
    return 0;
}

/* LinuxKit builds it without, too; but it is for bare metal, where somebody relies on it. */
static void warn_of_ucode(const struct part *kernel) {
    if (kernel->note.len)
        log_warning("there is no \"%s\" in the kernel image %s: the appliance has no microcode; see kernel.ucode in "
                    "the YAML",
                    kernel->note.data, image_ref(kernel->img));
}

static int emit_cmdline(const struct build *b, const struct plan *plan, struct part *p, struct err *e) {
    const char *cmdline = b->config->kernel.cmdline ? b->config->kernel.cmdline : "";

    (void)plan;
    if (!b->anew) /* once */
        warn_of_ucode(p - 1);
    return add_bytes(b, &p->origin, BOOT_CMDLINE, 0644, cmdline, strlen(cmdline), e);
}

int plan_kernel(const struct build *b, struct plan *p, struct err *e) {
    const char *image = b->config->kernel.image;
    struct kernel k = kernel_of(b);

    if (!image || !*image)
        return 0;
    AUTO_FREE char *source = image_name(image);
    struct part *part = plan_add(p, emit_kernel, source ? source : "", e, "kernel");
    int r = part ? open_image(b, image, b->config->kernel.place, &part->img, e) : -ENOMEM;
    if (!r)
        r = part_set_key(part, e, "kernel %s %s %s %s", k.binary, k.tar ? k.tar : "", k.ucode ? k.ucode : "",
                         b->decompress_kernel ? "decompressed" : "");
    return r || plan_add(p, emit_cmdline, source ? source : "", e, "kernel") ? r : -ENOMEM;
}
