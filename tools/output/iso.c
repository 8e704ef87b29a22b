/* SPDX-License-Identifier: Apache-2.0 */
/*
 * iso-bios, iso-efi, iso: El Torito for CDs, and a partition table in front for USB sticks. iso-efi has a UKI in a FAT
 * partition. iso has kernel and initrd once, in ISO 9660, for isolinux (BIOS) and GRUB (EFI) to load: isolinux reads
 * nothing else, and GRUB alone of the EFI loaders reads that.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/buf.h"
#include "lib/fdutil.h"
#include "tools/output/fat.h"
#include "tools/output/loader.h"

/* How isolinux is booted, from a CD and from a USB stick. */
#define BIOS_BOOT                                                                                                      \
    "-b", "isolinux/isolinux.bin", "-c", "isolinux/boot.cat", "-no-emul-boot", "-boot-load-size", "4",                 \
        "-boot-info-table", "-isohybrid-mbr", ISOHYBRID_MBR
#define ISO_TREE "iso"
#define WORDS_MAX 48

/* Kernel and initrd are not copied, but get a second name in the ISO's tree. */
static int link_payload(const struct parts *p, struct err *e) {
    char kernel[PATH_MAX], initrd[PATH_MAX], dir[PATH_MAX];
    int r = parts_path(p, ISO_TREE "/boot", dir, e);

    if (!r)
        r = mkdir_p(dir, 0755, e);
    if (!r)
        r = parts_path(p, ISO_TREE "/boot/kernel", kernel, e);
    if (!r)
        r = parts_path(p, ISO_TREE "/boot/initrd.img", initrd, e);
    if (!r && (link(p->kernel, kernel) < 0 || link(p->initrd, initrd) < 0))
        r = err_errno(e, -errno, "could not link %s", initrd);
    return r;
}

static int copy_into(const struct parts *p, const char *from, const char *name, struct err *e) {
    AUTO_BUF struct buf data = BUF_INIT;
    char path[PATH_MAX];
    int r = read_file(from, BUF_DEFAULT_MAX, &data, e);

    if (!r)
        r = parts_path(p, name, path, e);
    return r ? r : write_file_atomic(path, data.data, data.len, 0644, false, e);
}

static int add_isolinux(const struct parts *p, struct err *e) {
    AUTO_BUF struct buf config = BUF_INIT;
    char path[PATH_MAX];
    int r = parts_path(p, ISO_TREE "/isolinux", path, e);

    if (!r)
        r = mkdir_p(path, 0755, e);
    if (!r)
        r = syslinux_config(p, "/boot/kernel", "/boot/initrd.img", &config, e);
    if (!r)
        r = parts_text(p, ISO_TREE "/isolinux/isolinux.cfg", config.data, path, e);
    if (!r)
        r = copy_into(p, ISOLINUX_BIN, ISO_TREE "/isolinux/isolinux.bin", e);
    return r ? r : copy_into(p, SYSLINUX_LDLINUX, ISO_TREE "/isolinux/ldlinux.c32", e);
}

/* Dates and ids are given, and the order is that of the names: nothing of this build is in the image. */
static int run_xorriso(const struct parts *p, const char *out, const char *const *boot, struct err *e) {
    char tree[PATH_MAX], guid[37], date[24];
    const char *argv[WORDS_MAX];
    size_t n = 0;
    int r = parts_path(p, ISO_TREE, tree, e);

    parts_uuid(p, 0, guid);
    (void)snprintf(date, sizeof(date), "=%d", IMAGE_TIME);
    const char *const head[] = {"xorriso",
                                "-as",
                                "mkisofs",
                                "-quiet",
                                "-o",
                                out,
                                "-V",
                                "KEELSON",
                                "-iso-level",
                                "3",
                                "-J",
                                "-r",
                                "--modification-date=2017041816300000",
                                "--gpt_disk_guid",
                                guid,
                                "--set_all_file_dates",
                                date};
    for (size_t i = 0; i < ARRAY_SIZE(head); i++)
        argv[n++] = head[i];
    for (size_t i = 0; boot[i] && n < WORDS_MAX - 2; i++)
        argv[n++] = boot[i];
    argv[n++] = tree;
    argv[n] = NULL;
    return r ? r : program_run(argv, NULL, e);
}

int make_iso_bios(const struct parts *p, const char *out, struct err *e) {
    static const char *const boot[] = {BIOS_BOOT, NULL};
    int r = link_payload(p, e);

    if (!r)
        r = add_isolinux(p, e);
    return r ? r : run_xorriso(p, out, boot, e);
}

/* A FAT image with one EFI program in the place where firmware looks without being told. */
static int make_esp(const struct parts *p, const char *program, const char *esp, struct err *e) {
    const struct fat_file file = {.from = program, .to = efi_boot_path(p)};
    uint64_t bytes = 0;
    int r = fat_bytes(&file, 1, &bytes, e);

    return r ? r : fat_make(p, esp, 0, bytes, "EFI", &file, 1, e);
}

int make_iso_efi(const struct parts *p, const char *out, struct err *e) {
    char esp[PATH_MAX], uki[PATH_MAX], tree[PATH_MAX];
    const char *const boot[] = {"-append_partition",
                                "2",
                                "0xef",
                                esp,
                                "-appended_part_as_gpt",
                                "-e",
                                "--interval:appended_partition_2:all::",
                                "-no-emul-boot",
                                "-partition_offset",
                                "16",
                                NULL};
    int r = parts_path(p, "esp.img", esp, e);

    if (!r)
        r = parts_path(p, "uki.efi", uki, e);
    if (!r)
        r = parts_path(p, ISO_TREE, tree, e);
    if (!r)
        r = mkdir_p(tree, 0755, e);
    if (!r)
        r = make_uki(p, uki, e);
    if (!r)
        r = make_esp(p, uki, esp, e);
    return r ? r : run_xorriso(p, out, boot, e);
}

int make_iso_hybrid(const struct parts *p, const char *out, struct err *e) {
    static const char *const boot[] = {BIOS_BOOT,       "-eltorito-alt-boot",    "-e", "boot/efi.img",
                                       "-no-emul-boot", "-isohybrid-gpt-basdat", NULL};
    char grub[PATH_MAX], esp[PATH_MAX];
    int r = link_payload(p, e);

    if (!r)
        r = add_isolinux(p, e);
    if (!r)
        r = grub_make(p, grub, e);
    if (!r)
        r = parts_path(p, ISO_TREE "/boot/efi.img", esp, e);
    if (!r)
        r = make_esp(p, grub, esp, e);
    return r ? r : run_xorriso(p, out, boot, e);
}
