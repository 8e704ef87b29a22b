/* SPDX-License-Identifier: Apache-2.0 */
/* raw-bios: MBR, syslinux in a FAT partition. raw-efi: GPT, a UKI in an EFI system partition. Both start at 1 MiB. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/buf.h"
#include "lib/fdutil.h"
#include "tools/output/fat.h"
#include "tools/output/loader.h"

#define SECTOR 512
#define START FAT_MIB   /* of the partition */
#define GPT_END FAT_MIB /* room for the table's copy */
#define BOOT_CODE_MAX 440
#define MBR_MIB_MAX (2 << 20) /* 2^32 sectors */

/* Bytes of the partition when it needs at least `needed`, and `around` bytes of the disk are not its own. */
static int fit(const struct parts *p, uint64_t needed, uint64_t around, uint64_t *bytes, struct err *e) {
    uint64_t wanted = p->size_mib * FAT_MIB;

    *bytes = wanted ? wanted - around : needed;
    if (wanted && wanted < needed + around)
        return err_set(e, -ENOSPC, "could not make a disk of %llu MiB: the appliance needs %llu MiB",
                       (unsigned long long)p->size_mib, (unsigned long long)((needed + around) / FAT_MIB));
    return 0;
}

static int partition(const char *disk, const char *script, struct err *e) {
    const char *const argv[] = {"sfdisk", "-q", "--no-tell-kernel", disk, NULL};

    return program_run(argv, script, e);
}

static int write_boot_code(const char *disk, struct err *e) {
    AUTO_BUF struct buf code = BUF_INIT;
    int r = read_file(SYSLINUX_MBR, BOOT_CODE_MAX, &code, e);

    if (r < 0)
        return r;
    AUTO_CLOSE int fd = open(disk, O_WRONLY | O_CLOEXEC);
    r = fd < 0 ? -errno : write_full(fd, code.data, code.len);
    return r < 0 ? err_errno(e, r, "could not write %s", disk) : 0;
}

static int install_syslinux(const char *disk, struct err *e) {
    char offset[24];
    const char *const argv[] = {"syslinux", "--offset", offset, "--install", disk, NULL};

    (void)snprintf(offset, sizeof(offset), "%llu", (unsigned long long)START);
    return program_run(argv, NULL, e);
}

int make_raw_bios(const struct parts *p, const char *out, struct err *e) {
    AUTO_BUF struct buf config = BUF_INIT;
    char config_path[PATH_MAX], script[160];
    const struct fat_file files[] = {{p->kernel, "kernel"}, {p->initrd, "initrd.img"}, {config_path, "syslinux.cfg"}};
    uint64_t bytes = 0;
    int r = syslinux_config(p, "/kernel", "/initrd.img", &config, e);

    if (!r && p->size_mib >= MBR_MIB_MAX)
        r = err_set(e, -EFBIG, "could not make a disk of %llu MiB: one for a PC BIOS has less than %d MiB",
                    (unsigned long long)p->size_mib, MBR_MIB_MAX);
    if (!r)
        r = parts_text(p, "syslinux.cfg", config.data, config_path, e);
    if (!r)
        r = fat_bytes(files, ARRAY_SIZE(files), &bytes, e);
    if (!r)
        r = fit(p, bytes, START, &bytes, e);
    if (!r)
        r = make_sparse(out, START + bytes, e);
    if (r < 0)
        return r;
    (void)snprintf(script, sizeof(script), "label: dos\nlabel-id: 0x%08x\nstart=%llu, size=%llu, type=%s, bootable\n",
                   parts_serial(p), (unsigned long long)START / SECTOR, (unsigned long long)bytes / SECTOR,
                   bytes < 512 * FAT_MIB ? "e" : "c");
    r = partition(out, script, e);
    if (!r)
        r = write_boot_code(out, e);
    if (!r)
        r = fat_make(p, out, START, bytes, "BOOT", files, ARRAY_SIZE(files), e);
    return r ? r : install_syslinux(out, e);
}

int make_raw_efi(const struct parts *p, const char *out, struct err *e) {
    char uki[PATH_MAX], disk_id[37], part_id[37], script[320];
    const struct fat_file file = {uki, efi_boot_path(p)};
    uint64_t bytes = 0;
    int r = parts_path(p, "uki.efi", uki, e);

    if (!r)
        r = make_uki(p, uki, e);
    if (!r)
        r = fat_bytes(&file, 1, &bytes, e);
    if (!r)
        r = fit(p, bytes, START + GPT_END, &bytes, e);
    if (!r)
        r = make_sparse(out, START + bytes + GPT_END, e);
    if (r < 0)
        return r;
    parts_uuid(p, 0, disk_id);
    parts_uuid(p, 1, part_id);
    (void)snprintf(
        script, sizeof(script),
        "label: gpt\nlabel-id: %s\nstart=%llu, size=%llu, type=C12A7328-F81F-11D2-BA4B-00A0C93EC93B, uuid=%s, "
        "name=\"EFI\"\n",
        disk_id, (unsigned long long)START / SECTOR, (unsigned long long)bytes / SECTOR, part_id);
    r = partition(out, script, e);
    return r ? r : fat_make(p, out, START, bytes, "EFI", &file, 1, e);
}
