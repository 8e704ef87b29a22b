/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/inspect/inspect.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/fdutil.h"
#include "tools/inspect/inspect_priv.h"
#include "tools/output/bootable.h"
#include "tools/output/format.h"
#include "tools/output/kernel_initrd.h"

/* A file that may not be there. */
static FILE *open_part(const char *name, const char *suffix) {
    AUTO_FREE char *path = NULL;

    if (asprintf(&path, "%s%s", name, suffix) < 0) {
        path = NULL;
        return NULL;
    }
    return fopen(path, "re");
}

static int read_kernel_beside(struct inspection *in, const char *name, struct err *e) {
    AUTO_FCLOSE FILE *kernel = open_part(name, KERNEL_SUFFIX);
    AUTO_FCLOSE FILE *cmdline = open_part(name, CMDLINE_SUFFIX);
    int r = kernel ? payload_kernel(in, kernel, e) : 0;

    return r || !cmdline ? r : payload_cmdline(in, cmdline, e);
}

static int read_parts(struct inspection *in, const char *name, struct err *e) {
    AUTO_FCLOSE FILE *initrd = open_part(name, INITRD_SUFFIX);

    if (!initrd)
        return err_errno(e, -errno, "could not open %s" INITRD_SUFFIX, name);
    int r = read_kernel_beside(in, name, e);
    if (!r)
        r = payload_initrd(in, initrd, e);
    return r < 0 ? err_wrap(e, r, "%s" INITRD_SUFFIX, name) : 0;
}

static int set_root(struct inspection *in, FILE *f, const char *format, struct err *e) {
    struct stat st;

    if (fstat(fileno(f), &st) < 0)
        return err_errno(e, -errno, "could not read it");
    in->root = format;
    in->root_size = (uint64_t)st.st_size;
    return 0;
}

static int read_tar(struct inspection *in, FILE *f, const struct bootable *b, struct err *e) {
    (void)b;
    return archive_read_all(in, fileno(f), ARCHIVE_TAR, e);
}

static int read_uki(struct inspection *in, FILE *f, const struct bootable *b, struct err *e) {
    (void)b;
    return payload_uki(in, f, e);
}

static int read_initrd(struct inspection *in, FILE *f, const struct bootable *b, struct err *e) {
    (void)b;
    return payload_initrd(in, f, e);
}

/* Without a boot catalogue it is a root; without a kernel in its tree that is in a partition. */
static int read_iso(struct inspection *in, FILE *f, const struct bootable *b, struct err *e) {
    if (!b->bios && !b->efi) {
        int r = set_root(in, f, "iso", e);
        return r ? r : archive_read_all(in, fileno(f), ARCHIVE_ROOT, e);
    }
    in->bios = b->bios;
    in->efi = b->efi;
    int r = archive_read_all(in, fileno(f), ARCHIVE_MEDIUM, e);
    if (r || payload_found(in))
        return r;
    r = disk_read(in, fileno(f), e);
    in->bios = b->bios;
    in->efi = b->efi;
    return r;
}

static int read_raw(struct inspection *in, FILE *f, const struct bootable *b, struct err *e) {
    (void)b;
    return disk_read(in, fileno(f), e);
}

static int read_converted(struct inspection *in, FILE *f, const struct bootable *b, struct err *e) {
    if (b->elsewhere)
        return err_set(e, -EINVAL,
                       "it goes on in another file, which is not looked at: flatten it with qemu-img convert");
    return disk_convert(in, fileno(f), bootable_disk_format(b->kind), e);
}

static int read_root(struct inspection *in, FILE *f, const struct bootable *b, struct err *e) {
    bool erofs = b->kind == BOOTABLE_EROFS;
    int r = set_root(in, f, erofs ? "erofs" : "squashfs", e);

    return r ? r : (erofs ? root_read_erofs : root_read_squashfs)(in, fileno(f), e);
}

static int refuse(struct inspection *in, FILE *f, const struct bootable *b, struct err *e) {
    (void)in;
    (void)f;
    return err_set(e, -ENOTSUP, "it is %s%s", bootable_name(b->kind),
                   b->kind == BOOTABLE_KERNEL ? "; name the appliance without its " KERNEL_SUFFIX
                                              : " without a kernel in it");
}

/* What is nothing else may be an initrd. */
static int (*const readers[])(struct inspection *in, FILE *f, const struct bootable *b, struct err *e) = {
    [BOOTABLE_UNKNOWN] = read_initrd,  [BOOTABLE_KERNEL] = refuse,       [BOOTABLE_UKI] = read_uki,
    [BOOTABLE_EFI] = refuse,           [BOOTABLE_ISO] = read_iso,        [BOOTABLE_RAW] = read_raw,
    [BOOTABLE_QCOW2] = read_converted, [BOOTABLE_VMDK] = read_converted, [BOOTABLE_VHD] = read_converted,
    [BOOTABLE_TAR] = read_tar,         [BOOTABLE_SQUASHFS] = read_root,  [BOOTABLE_EROFS] = read_root,
};

static int read_open_file(struct inspection *in, FILE *f, const char *path, struct err *e) {
    struct bootable b;
    int r = bootable_look_fd(fileno(f), &b);

    if (!r && fseek(f, 0, SEEK_SET) != 0)
        r = -errno;
    r = r < 0 ? err_errno(e, r, "could not read it") : readers[b.kind](in, f, &b, e);
    if (!r && !in->items_len && !payload_found(in))
        r = err_set(e, -EBADMSG, "it is %s with nothing in it", bootable_name(b.kind));
    return r < 0 ? err_wrap(e, r, "%s", path) : 0;
}

/* A kernel whose root is a disk beside it. 1: there is none of them. */
static int read_kernel_and_root(struct inspection *in, const char *name, struct err *e) {
    const char *suffix;

    for (size_t i = 0; (suffix = format_root_suffix(i)); i++) {
        AUTO_FCLOSE FILE *f = open_part(name, suffix);
        AUTO_FREE char *path = NULL;
        if (!f)
            continue;
        if (asprintf(&path, "%s%s", name, suffix) < 0) {
            path = NULL;
            return err_errno(e, -ENOMEM, "could not inspect %s", name);
        }
        int r = read_kernel_beside(in, name, e);
        return r ? r : read_open_file(in, f, path, e);
    }
    return 1;
}

static int by_size(const void *a, const void *b) {
    const struct item *x = a, *y = b;

    return x->size != y->size ? (x->size < y->size ? 1 : -1) : strcmp(x->name, y->name);
}

static int read_file_named(struct inspection *in, const char *path, struct err *e) {
    AUTO_FCLOSE FILE *f = fopen(path, "re");

    return f ? read_open_file(in, f, path, e) : err_errno(e, -errno, "could not open %s", path);
}

int inspect_read(const char *name, struct inspection *in, struct err *e) {
    AUTO_FREE char *initrd = NULL;
    struct stat st;
    int r;

    *in = (struct inspection){.name = strdup(name)};
    if (!in->name || asprintf(&initrd, "%s" INITRD_SUFFIX, name) < 0) {
        initrd = NULL;
        return err_errno(e, -ENOMEM, "could not inspect %s", name);
    }
    bool file = stat(name, &st) == 0 && S_ISREG(st.st_mode);
    if (access(initrd, F_OK) == 0)
        r = read_parts(in, name, e);
    else
        r = file ? read_file_named(in, name, e) : read_kernel_and_root(in, name, e);
    if (r > 0)
        r = err_set(e, -ENOENT, "could not inspect %s: there is neither %s nor a file of that name", name, initrd);
    if (!r && in->items_len)
        qsort(in->items, in->items_len, sizeof(*in->items), by_size);
    return r;
}

void inspect_free(struct inspection *in) {
    free(in->name);
    free(in->cmdline);
    free(in->items);
    *in = (struct inspection){0};
}
