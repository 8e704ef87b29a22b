/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/output/format.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "tools/output/fat.h"
#include "tools/output/image_output.h"
#include "tools/output/kernel_initrd.h"
#include "tools/output/kernel_root.h"
#include "tools/output/loader.h"
#include "tools/output/root_image.h"
#include "tools/output/rpi3.h"
#include "tools/output/small_root.h"
#include "tools/output/tar.h"
#include "tools/output/tar_kernel_initrd.h"
#include "tools/output/uki.h"

#define NEEDS(...) ((const struct need[]){__VA_ARGS__, {NULL, NULL}})
#define NEED_XORRISO                                                                                                   \
    { "xorriso", "xorriso" }
#define NEED_ISOLINUX                                                                                                  \
    {ISOLINUX_BIN, "isolinux"}, {ISOHYBRID_MBR, "isolinux"}, {                                                         \
        SYSLINUX_LDLINUX, "syslinux-common"                                                                            \
    }
#define NEED_GRUB                                                                                                      \
    {"grub-mkimage", "grub-common"}, {                                                                                 \
        GRUB_EFI_MODULES, "grub-efi-amd64-bin"                                                                         \
    }
#define NEED_RAW_BIOS                                                                                                  \
    FAT_NEEDS, {"sfdisk", "fdisk"}, {"syslinux", "syslinux"}, {                                                        \
        SYSLINUX_MBR, "syslinux-common"                                                                                \
    }
#define NEED_QEMU_IMG                                                                                                  \
    { "qemu-img", "qemu-utils" }

#define AMD64 1
#define ARM64 2

typedef int check_fn(const struct format_order *order, struct err *e);

/* A UKI is made of the stub of its architecture. */
static int check_stub(const struct format_order *order, struct err *e) {
    static const struct need amd64 = {EFI_STUB_AMD64, "systemd-boot-efi"};
    static const struct need arm64 = {EFI_STUB_ARM64, "systemd-boot-efi:arm64"};

    return need_check(strcmp(order->arch, "arm64") ? &amd64 : &arm64, e);
}

static int check_rpi3(const struct format_order *order, struct err *e) {
    (void)order;
    return rpi3_check(e);
}

static const struct format {
    const char *name, *suffix;
    unsigned arches;
    check_fn *check;     /* what else it needs; NULL: nothing */
    image_make_fn *make; /* NULL: not an image of a machine's disk */
    const struct need *needs;
    const char *trees; /* the device trees that `make` takes: image_output.h */
} formats[] = {
    {"kernel+initrd", "", AMD64 | ARM64, NULL, NULL, NULL, NULL},
    {"tar", ".tar", AMD64 | ARM64, NULL, NULL, NULL, NULL},
    {"tar-kernel-initrd", "-initrd.tar", AMD64 | ARM64, NULL, NULL, NULL, NULL},
    {"docker", ".docker", AMD64 | ARM64, NULL, NULL, NULL, NULL},
    {"iso", ".iso", AMD64, NULL, make_iso_hybrid, NEEDS(NEED_XORRISO, NEED_ISOLINUX, NEED_GRUB, FAT_NEEDS), NULL},
    {"iso-bios", ".iso", AMD64, NULL, make_iso_bios, NEEDS(NEED_XORRISO, NEED_ISOLINUX), NULL},
    {"iso-efi", "-efi.iso", AMD64 | ARM64, check_stub, make_iso_efi, NEEDS(NEED_XORRISO, FAT_NEEDS), NULL},
    {"iso-efi-initrd", "-efi-initrd.iso", AMD64 | ARM64, check_stub, make_iso_efi, NEEDS(NEED_XORRISO, FAT_NEEDS),
     NULL},
    {"raw-bios", "-bios.img", AMD64, NULL, make_raw_bios, NEEDS(NEED_RAW_BIOS), NULL},
    {"raw-efi", "-efi.img", AMD64 | ARM64, check_stub, make_raw_efi, NEEDS(FAT_NEEDS, {"sfdisk", "fdisk"}), NULL},
    {"qcow2-bios", ".qcow2", AMD64, NULL, make_qcow2_bios, NEEDS(NEED_RAW_BIOS, NEED_QEMU_IMG), NULL},
    {"qcow2-efi", "-efi.qcow2", AMD64 | ARM64, check_stub, make_qcow2_efi,
     NEEDS(FAT_NEEDS, {"sfdisk", "fdisk"}, NEED_QEMU_IMG), NULL},
    {"aws", ".raw", AMD64, NULL, make_raw_bios, NEEDS(NEED_RAW_BIOS), NULL},
    {"gcp", ".img.tar.gz", AMD64, NULL, make_gcp, NEEDS(NEED_RAW_BIOS, {"tar", "tar"}, {"gzip", "gzip"}), NULL},
    {"vhd", ".vhd", AMD64, NULL, make_vhd, NEEDS(NEED_RAW_BIOS, NEED_QEMU_IMG), NULL},
    {"dynamic-vhd", ".vhd", AMD64, NULL, make_dynamic_vhd, NEEDS(NEED_RAW_BIOS, NEED_QEMU_IMG), NULL},
    {"vmdk", ".vmdk", AMD64, NULL, make_vmdk, NEEDS(NEED_RAW_BIOS, NEED_QEMU_IMG), NULL},
    {"uki", ".efi", AMD64 | ARM64, check_stub, make_uki, NULL, NULL},
    {"rpi3", ".tar", ARM64, check_rpi3, make_rpi3, NULL, RPI3_TREES},
    {"kernel+squashfs", "-squashfs.img", AMD64 | ARM64, NULL, NULL, NULL, NULL},
    {"kernel+erofs", "-erofs.img", AMD64 | ARM64, NULL, NULL, NULL, NULL},
    {"kernel+iso", ".iso", AMD64 | ARM64, NULL, NULL, NULL, NULL},
};

/* Formats whose root is a disk beside the kernel. */
static const struct {
    const char *name;
    enum root_kind root;
} with_disk[] = {{"kernel+squashfs", ROOT_SQUASHFS}, {"kernel+erofs", ROOT_EROFS}, {"kernel+iso", ROOT_ISO}};

static enum root_kind root_of_disk(const char *name) {
    for (size_t i = 0; i < ARRAY_SIZE(with_disk); i++)
        if (!strcmp(with_disk[i].name, name))
            return with_disk[i].root;
    return ROOT_INITRAMFS;
}

const char *format_name(size_t i) {
    return i < ARRAY_SIZE(formats) ? formats[i].name : NULL;
}

static const struct format *find(const char *name) {
    for (size_t i = 0; i < ARRAY_SIZE(formats); i++)
        if (!strcmp(formats[i].name, name))
            return &formats[i];
    return NULL;
}

const char *format_root_suffix(size_t i) {
    return i < ARRAY_SIZE(with_disk) ? find(with_disk[i].name)->suffix : NULL;
}

/* Names them all: who mistypes one sees what it should have been. */
static int no_such_format(const char *name, int len, struct err *e) {
    char all[ARRAY_SIZE(formats) * FORMAT_NAME_MAX];
    size_t at = 0;

    for (size_t i = 0; format_name(i); i++)
        at += (size_t)snprintf(all + at, sizeof(all) - at, "%s%s", i ? ", " : "", format_name(i));
    return err_set(e, -EINVAL, "could not make format \"%.*s\": there are %s", len, name, all);
}

int format_check(const char *name, const struct format_order *order, struct err *e) {
    const struct format *f = find(name);
    enum root_kind disk = root_of_disk(name);
    bool arm = !strcmp(order->arch, "arm64");

    if (!f)
        return no_such_format(name, FORMAT_NAME_MAX, e);
    if (!(f->arches & (arm ? ARM64 : AMD64)))
        return err_set(e, -EINVAL, "could not make format \"%s\" for %s: it is for %s", name, order->arch,
                       arm ? "machines with a PC BIOS" : "--arch arm64");
    if ((!strcmp(name, "kernel+initrd") || disk) && order->path && !strcmp(order->path, "-"))
        return err_set(e, -EINVAL, "could not write %s to standard output: it is three files; use --format tar", name);
    if (disk && order->root)
        return err_set(e, -EINVAL, "could not make %s with --root: its name says where the root is", name);
    if (f->make && order->path && !strcmp(order->path, "-"))
        return err_set(e, -EINVAL,
                       "could not write %s to standard output: it is put together from files; name one with -o", name);
    int r = f->check ? f->check(order, e) : 0;
    if (!r && order->root && !f->make && strcmp(name, "kernel+initrd") != 0)
        return err_set(e, -EINVAL, "could not make %s with a compressed root: it is no image that boots", name);
    for (const struct need *n = root_image_needs(disk ? disk : order->root); n->name && !r; n++)
        r = need_check(n, e);
    for (const struct need *n = f->needs; n && n->name && !r; n++)
        r = need_check(n, e);
    return r < 0 ? err_wrap(e, r, "could not make format \"%s\"", name) : 0;
}

int format_list_add(struct format_list *l, const char *words, struct err *e) {
    for (const char *word = words; word;) {
        const char *comma = strchr(word, ',');
        int len = (int)(comma ? comma - word : (ptrdiff_t)strlen(word));
        char name[FORMAT_NAME_MAX];
        bool there = false;
        if (snprintf(name, sizeof(name), "%.*s", len, word) >= (int)sizeof(name) || !find(name))
            return no_such_format(word, len < FORMAT_NAME_MAX ? len : FORMAT_NAME_MAX, e);
        for (size_t i = 0; i < l->len; i++)
            there = there || !strcmp(l->names[i], name);
        if (!there && l->len == FORMATS_MAX)
            return err_set(e, -E2BIG, "could not make more than %d formats at once", FORMATS_MAX);
        if (!there)
            (void)snprintf(l->names[l->len++], FORMAT_NAME_MAX, "%s", name);
        word = comma ? comma + 1 : NULL;
    }
    return 0;
}

int format_list_check(const struct format_list *l, const struct format_order *order, struct err *e) {
    int r = 0;

    if (l->len > 1 && order->path)
        return err_set(e, -EINVAL, "could not write %zu formats to %s: -o is for one; use --dir and --name", l->len,
                       order->path);
    for (size_t i = 0; i < l->len && !r; i++) {
        for (size_t k = 0; k < i; k++)
            if (!strcmp(find(l->names[i])->suffix, find(l->names[k])->suffix))
                return err_set(e, -EINVAL, "could not make formats \"%s\" and \"%s\" at once: both are NAME%s",
                               l->names[k], l->names[i], find(l->names[i])->suffix);
        r = format_check(l->names[i], order, e);
    }
    return r;
}

int format_open_kernel_initrd(const char *base, const struct format_order *order, struct output **out, struct err *e) {
    return order->root ? output_small_root_new(base, order->root, out, e)
                       : output_kernel_initrd_new(base, order->compression, false, out, e);
}

int format_open(const char *name, const struct format_order *order, struct output **out, struct err *e) {
    const struct format *f = find(name);
    AUTO_FREE char *path = NULL;
    struct stat st;
    int r = format_check(name, order, e);

    if (r < 0)
        return r;
    if (!strcmp(name, "kernel+initrd"))
        return format_open_kernel_initrd(order->path ? order->path : order->base, order, out, e);
    path = order->path ? strdup(order->path) : NULL;
    if (!path && asprintf(&path, "%s%s", order->base, f->suffix) < 0)
        return err_errno(e, -ENOMEM, "could not open the output");
    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
        return err_errno(e, -EISDIR, "could not write %s", path);
    if (root_of_disk(name))
        return output_kernel_root_new(order->base, path, root_of_disk(name), out, e);
    if (!strcmp(name, "tar-kernel-initrd"))
        return output_tar_kernel_initrd_new(path, order->compression, out, e);
    return f->make ? output_image_new(path, f->make, f->trees, order, out, e)
                   : output_tar_new(path, !strcmp(name, "docker"), out, e);
}
