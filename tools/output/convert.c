/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Disks in other containers: a raw disk first, then qemu-img. It puts random ids and the time into vmdk and vhd; they
 * are overwritten with ids from the content.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/fdutil.h"
#include "tools/output/parts.h"

#define VHD_FOOTER 512
#define VHD_TIME 24
#define VHD_CHECKSUM 64
#define VHD_ID 68
#define VMDK_DESCRIPTOR_AT 512
#define VMDK_DESCRIPTOR 1024
#define MIB ((uint64_t)1 << 20)
#define GCP_UNIT_MIB 1024 /* Google takes whole GiB only */

static int make_raw(const struct parts *p, image_make_fn *raw, char *disk, struct err *e) {
    int r = parts_path(p, "disk.raw", disk, e);

    return r ? r : raw(p, disk, e);
}

static int convert(const struct parts *p, image_make_fn *raw, const char *format, const char *options, const char *out,
                   struct err *e) {
    char disk[PATH_MAX];
    const char *const argv[] = {"qemu-img", "convert", "-f", "raw", "-O", format, "-o", options, disk, out, NULL};
    int r = make_raw(p, raw, disk, e);

    return r ? r : program_run(argv, NULL, e);
}

int make_qcow2_bios(const struct parts *p, const char *out, struct err *e) {
    return convert(p, make_raw_bios, "qcow2", "compat=1.1", out, e);
}

int make_qcow2_efi(const struct parts *p, const char *out, struct err *e) {
    return convert(p, make_raw_efi, "qcow2", "compat=1.1", out, e);
}

static int open_image(const char *path, uint64_t *size, struct err *e) {
    AUTO_CLOSE int fd = open(path, O_RDWR | O_CLOEXEC);
    off_t end = fd < 0 ? -1 : lseek(fd, 0, SEEK_END);

    if (end < 0)
        return err_errno(e, -errno, "could not open %s", path);
    *size = (uint64_t)end;
    return steal_fd(&fd);
}

/* A descriptor's "CID=xxxxxxxx" line: its number is random, and has no zeros in front. */
static int settle_vmdk(const struct parts *p, const char *path, struct err *e) {
    char text[VMDK_DESCRIPTOR + 1] = "", settled[VMDK_DESCRIPTOR + 1] = "";
    uint64_t size;
    AUTO_CLOSE int fd = open_image(path, &size, e);

    if (fd < 0)
        return fd;
    if (pread(fd, text, VMDK_DESCRIPTOR, VMDK_DESCRIPTOR_AT) != VMDK_DESCRIPTOR)
        return err_set(e, -EIO, "could not read %s", path);
    const char *id = strstr(text, "\nCID="), *end = id ? strchr(id + 1, '\n') : NULL;
    if (!end)
        return err_set(e, -EBADMSG, "could not find the id in %s", path);
    if (snprintf(settled, sizeof(settled), "%.*s%08x%s", (int)(id + 5 - text), text, parts_serial(p), end) >
        VMDK_DESCRIPTOR)
        return err_set(e, -EBADMSG, "could not write %s: its descriptor is too long", path);
    if (pwrite(fd, settled, VMDK_DESCRIPTOR, VMDK_DESCRIPTOR_AT) != VMDK_DESCRIPTOR)
        return err_errno(e, -errno, "could not write %s", path);
    return 0;
}

int make_vmdk(const struct parts *p, const char *out, struct err *e) {
    int r = convert(p, make_raw_bios, "vmdk", "subformat=streamOptimized", out, e);

    return r ? r : settle_vmdk(p, out, e);
}

/* Its time and id, and the checksum over both. */
static int settle_vhd_footer(const struct parts *p, int fd, off_t at, const char *path, struct err *e) {
    unsigned char footer[VHD_FOOTER];
    uint32_t sum = 0;

    if (pread(fd, footer, sizeof(footer), at) != (ssize_t)sizeof(footer) || memcmp(footer, "conectix", 8) != 0)
        return err_set(e, -EBADMSG, "could not find the footer of %s", path);
    memset(footer + VHD_TIME, 0, 4);
    memcpy(footer + VHD_ID, p->id, 16);
    memset(footer + VHD_CHECKSUM, 0, 4);
    for (size_t i = 0; i < sizeof(footer); i++)
        sum += footer[i];
    for (size_t i = 0; i < 4; i++)
        footer[VHD_CHECKSUM + i] = (unsigned char)(~sum >> (24 - 8 * i));
    return pwrite(fd, footer, sizeof(footer), at) == (ssize_t)sizeof(footer)
               ? 0
               : err_errno(e, -errno, "could not write %s", path);
}

static int make_vhd_of(const struct parts *p, const char *out, bool dynamic, struct err *e) {
    uint64_t size;
    int r = convert(p, make_raw_bios, "vpc",
                    dynamic ? "subformat=dynamic,force_size=on" : "subformat=fixed,force_size=on", out, e);

    if (r < 0)
        return r;
    AUTO_CLOSE int fd = open_image(out, &size, e);
    if (fd < 0)
        return fd;
    r = settle_vhd_footer(p, fd, (off_t)size - VHD_FOOTER, out, e);
    return r || !dynamic ? r : settle_vhd_footer(p, fd, 0, out, e);
}

int make_vhd(const struct parts *p, const char *out, struct err *e) {
    return make_vhd_of(p, out, false, e);
}

int make_dynamic_vhd(const struct parts *p, const char *out, struct err *e) {
    return make_vhd_of(p, out, true, e);
}

/* A tar with the sparse file disk.raw, as Google's importer wants it. */
int make_gcp(const struct parts *p, const char *out, struct err *e) {
    struct parts whole = *p;
    char disk[PATH_MAX];
    uint64_t size = 0;
    const char *const argv[] = {"tar",
                                "--format=oldgnu",
                                "--sparse",
                                "--hole-detection=raw",
                                "--owner=0",
                                "--group=0",
                                "--numeric-owner",
                                "--mode=0644",
                                "--mtime=@1492533000",
                                "--use-compress-program=gzip -n",
                                "-C",
                                p->dir,
                                "-cf",
                                out,
                                "disk.raw",
                                NULL};
    int r = make_raw(p, make_raw_bios, disk, e);

    if (!r)
        r = parts_size(disk, &size, e);
    uint64_t mib = (size + MIB - 1) / MIB;
    if (!r && mib % GCP_UNIT_MIB) {
        whole.size_mib = (mib + GCP_UNIT_MIB - 1) / GCP_UNIT_MIB * GCP_UNIT_MIB;
        r = unlink(disk) < 0 ? err_errno(e, -errno, "could not remove %s", disk) : make_raw_bios(&whole, disk, e);
    }
    return r ? r : program_run(argv, NULL, e);
}
