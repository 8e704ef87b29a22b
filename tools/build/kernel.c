/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel image: its kernel and microcode go to boot/, its tar (modules) is unpacked into the root as it passes. */
#include <archive.h>
#include <errno.h>
#include <string.h>

#include "tools/build/build_priv.h"
#include "tools/image/tar.h"

struct kernel {
    const struct build *build;
    struct origin origin;
    const char *binary, *tar, *ucode; /* names in the image; NULL: not wanted */
    bool found_binary, found_tar, found_ucode;
};

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

static int add_module(void *data, const struct entry *entry, const struct entry_content *content, struct err *e) {
    const struct kernel *k = data;

    return *entry->path ? output_add(k->build->output, entry, content, &k->origin, e) : 0;
}

static int add_tar(struct kernel *k, const struct entry_content *content, struct err *e) {
    AUTO_FREE struct tar_source *s = calloc(1, sizeof(*s));
    struct archive *a = archive_read_new();
    int r = 0;

    k->found_tar = true;
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
        r = tar_read(a, k->tar, add_module, k, e);
    (void)archive_read_free(a);
    return r;
}

static int add_boot_file(struct kernel *k, const char *path, mode_t mode, const struct entry *entry,
                         const struct entry_content *content, struct err *e) {
    struct entry file = {.type = ENTRY_FILE, .path = path, .mode = mode, .size = entry->size, .mtime = DEFAULT_MTIME};

    if (entry->type != ENTRY_FILE)
        return err_set(e, -EINVAL, "%s in the kernel image is not a regular file", entry->path);
    return output_add(k->build->output, &file, content, &k->origin, e);
}

static int add_ucode(void *data, const struct entry *entry, const struct entry_content *content, struct err *e) {
    struct kernel *k = data;

    if (strcmp(entry->path, k->ucode) != 0)
        return 0;
    k->found_ucode = true;
    return add_boot_file(k, "boot/ucode.cpio", entry->mode, entry, content, e);
}

static int add_rest(void *data, const struct entry *entry, const struct entry_content *content, struct err *e) {
    struct kernel *k = data;

    if (!strcmp(entry->path, k->binary)) {
        k->found_binary = true;
        return add_boot_file(k, "boot/kernel", entry->mode, entry, content, e);
    }
    if (k->tar && !strcmp(entry->path, k->tar))
        return entry->type == ENTRY_FILE ? add_tar(k, content, e)
                                         : err_set(e, -EINVAL, "%s is not a regular file", entry->path);
    return 0;
}

static const char *name_of(const char *wanted, const char *otherwise) {
    if (!wanted)
        return otherwise;
    return *wanted && strcmp(wanted, "none") != 0 ? wanted : NULL;
}

int add_kernel(const struct build *b, struct err *e) {
    const char *cmdline = b->config->kernel.cmdline ? b->config->kernel.cmdline : "";
    const char *binary = b->config->kernel.binary, *ucode = b->config->kernel.ucode;
    struct kernel k = {.build = b,
                       .binary = binary && *binary ? binary : "kernel",
                       .tar = name_of(b->config->kernel.tar, "kernel.tar"),
                       .ucode = ucode && *ucode ? ucode : NULL};
    AUTO_IMAGE struct image *img = NULL;

    if (!b->config->kernel.image || !*b->config->kernel.image)
        return 0;
    int r = open_image(b, b->config->kernel.image, &img, e);
    if (r < 0)
        return r;
    AUTO_FREE char *source = image_name(b->config->kernel.image);
    if (!source)
        return err_errno(e, -ENOMEM, "could not add image %s", b->config->kernel.image);
    k.origin = (struct origin){.source = source, .location = "kernel"};
    r = add_dir(b, &k.origin, "boot", e);
    if (!r)
        r = add_bytes(b, &k.origin, "boot/cmdline", 0644, cmdline, strlen(cmdline), e);
    if (!r && k.ucode) /* a pass of its own: it has to be in the initrd before the kernel's tar */
        r = image_walk(img, add_ucode, &k, e);
    if (!r)
        r = image_walk(img, add_rest, &k, e);
    if (r < 0)
        return r;
    if (!k.found_binary || (k.tar && !k.found_tar))
        return err_set(e, -ENOENT, "could not find \"%s\" in the kernel image %s; see kernel.%s in the YAML",
                       k.found_binary ? k.tar : k.binary, image_ref(img), k.found_binary ? "tar" : "binary");
    return 0;
}
