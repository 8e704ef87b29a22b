/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/run/boot.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/output/format.h"

#define MIB ((uint64_t)1 << 20)

static bool is_regular(const char *path) {
    struct stat st;

    return stat(path, &st) == 0 && (S_ISREG(st.st_mode) || S_ISBLK(st.st_mode));
}

/* The initrd if there is one, unless another root is asked for. */
static int find_root(const struct run_options *o, struct run_boot *b, struct err *e) {
    char initrd[RUN_PATH_MAX];

    if (snprintf(initrd, sizeof(initrd), "%s-initrd.img", o->name) >= (int)sizeof(initrd))
        return err_errno(e, -ENAMETOOLONG, "could not open %s-initrd.img", o->name);
    if (!o->squashfs && access(initrd, R_OK) == 0)
        return 0;
    const char *suffix = NULL;
    for (size_t i = 0; (suffix = format_root_suffix(i)) && (!o->squashfs || i == 0); i++) {
        if (snprintf(b->root, sizeof(b->root), "%s%s", o->name, suffix) >= (int)sizeof(b->root))
            return err_errno(e, -ENAMETOOLONG, "could not open %s%s", o->name, suffix);
        if (access(b->root, R_OK) == 0)
            return 0;
    }
    return err_errno(e, -ENOENT, "could not open %s", o->squashfs ? b->root : initrd);
}

static int find_kernel(struct run_options *o, struct run_boot *b, struct err *e) {
    char path[RUN_PATH_MAX];

    if (snprintf(path, sizeof(path), "%s-kernel", o->name) >= (int)sizeof(path))
        return err_errno(e, -ENAMETOOLONG, "could not open %s-kernel", o->name);
    if (access(path, R_OK) < 0)
        return errno == ENOENT
                   ? err_set(e, -ENOENT, "could not boot %s: there is no such file, and no %s", o->name, path)
                   : err_errno(e, -errno, "could not open %s", path);
    int r = bootable_look(path, &b->is, e);
    if (!r && b->is.kind != BOOTABLE_KERNEL && b->is.kind != BOOTABLE_UKI)
        return err_set(e, -EINVAL, "could not boot %s: it is %s, not a kernel", path, bootable_name(b->is.kind));
    b->is.kind = BOOTABLE_KERNEL;
    return r ? r : find_root(o, b, e);
}

static int settle_arch(struct run_options *o, const struct run_boot *b, struct err *e) {
    bool arm = !strcmp(b->is.arch, "arm64");

    if (!*b->is.arch)
        return 0;
    if (!o->arch_given)
        o->arch = arm ? RUN_AARCH64 : RUN_X86_64;
    if ((o->arch == RUN_AARCH64) != arm)
        return err_set(e, -EINVAL, "could not boot %s: its kernel is for %s, and the machine is not", o->name,
                       b->is.arch);
    return 0;
}

/* The whole disk need not be read to know: the names that `keelson build` gives say it for what hides its inside. */
static bool needs_efi(const struct run_options *o, const struct run_boot *b) {
    if (o->netboot)
        return o->uefi || o->firmware || o->arch == RUN_AARCH64;
    if (o->uefi || o->firmware || b->is.kind == BOOTABLE_UKI || b->is.kind == BOOTABLE_EFI)
        return true;
    if (b->is.kind == BOOTABLE_KERNEL)
        return false;
    if (o->arch == RUN_AARCH64)
        return true;
    if (b->is.kind == BOOTABLE_ISO || b->is.kind == BOOTABLE_RAW)
        return b->is.efi && !b->is.bios;
    const char *slash = o->name ? strrchr(o->name, '/') : NULL;
    return o->name && strstr(slash ? slash : o->name, "-efi.") != NULL;
}

static int settle_firmware(const struct run_options *o, struct run_boot *b, struct err *e) {
    bool arm = o->arch == RUN_AARCH64;
    const char *code = arm ? "/usr/share/AAVMF/AAVMF_CODE.fd" : "/usr/share/OVMF/OVMF_CODE_4M.fd";
    const char *variables = arm ? "/usr/share/AAVMF/AAVMF_VARS.fd" : "/usr/share/OVMF/OVMF_VARS_4M.fd";

    b->efi = needs_efi(o, b);
    if (!b->efi)
        return 0;
    if (snprintf(b->firmware, sizeof(b->firmware), "%s", o->firmware ? o->firmware : code) >= (int)sizeof(b->firmware))
        return err_errno(e, -ENAMETOOLONG, "could not open %s", o->firmware);
    if (access(b->firmware, R_OK) < 0)
        return err_errno(e, -errno, "could not open %s%s", b->firmware,
                         o->firmware ? ""
                         : arm       ? " (Debian package qemu-efi-aarch64)"
                                     : " (Debian package ovmf)");
    if (!o->firmware)
        (void)snprintf(b->variables, sizeof(b->variables), "%s", variables);
    return 0;
}

static int find_netboot(const struct run_options *o, struct run_boot *b, struct err *e) {
    if (!strstr(o->netboot, "://") && access(o->netboot, R_OK) < 0)
        return err_errno(e, -errno, "could not open %s", o->netboot);
    if (o->cmdline_add)
        return err_set(e, -EINVAL, "could not add to the command line: it comes from the network");
    return settle_firmware(o, b, e);
}

int boot_find(struct run_options *o, struct run_boot *b, struct err *e) {
    bool file = o->name && is_regular(o->name);

    if (o->netboot)
        return find_netboot(o, b, e);
    if (snprintf(b->path, sizeof(b->path), "%s", o->name) >= (int)sizeof(b->path))
        return err_errno(e, -ENAMETOOLONG, "could not open %s", o->name);
    int r = file ? bootable_look(o->name, &b->is, e) : find_kernel(o, b, e);
    if (r < 0)
        return r;
    if (file && !bootable_boots(b->is.kind))
        return err_set(e, -EINVAL, "could not boot %s: it is %s; %s", o->name, bootable_name(b->is.kind),
                       b->is.kind == BOOTABLE_KERNEL ? "name it without its -kernel"
                                                     : "an ISO, a disk with a partition table or a UKI can be booted");
    if (b->is.elsewhere)
        return err_set(e, -EINVAL, "could not boot %s: it goes on in another file; flatten it with qemu-img convert",
                       o->name);
    if (o->iso && b->is.kind != BOOTABLE_ISO)
        return err_set(e, -EINVAL, "could not boot %s as a CD: it is %s", o->name, bootable_name(b->is.kind));
    if (o->cmdline_add && b->is.kind != BOOTABLE_KERNEL)
        return err_set(e, -EINVAL, "could not add to the command line of %s: it is inside the image", o->name);
    (void)snprintf(b->format, sizeof(b->format), "%s", bootable_disk_format(b->is.kind));
    r = settle_arch(o, b, e);
    return r ? r : settle_firmware(o, b, e);
}

static int check_memory(const struct run_options *o, const struct run_boot *b, struct err *e) {
    char initrd[RUN_PATH_MAX + 16];
    struct stat st;

    if (snprintf(initrd, sizeof(initrd), "%s%s", b->path, b->is.kind == BOOTABLE_KERNEL ? "-initrd.img" : "") >=
            (int)sizeof(initrd) ||
        *b->root || (b->is.kind != BOOTABLE_KERNEL && b->is.kind != BOOTABLE_UKI))
        return 0;
    if (stat(initrd, &st) < 0)
        return err_errno(e, -errno, "could not open %s", initrd);
    if ((uint64_t)st.st_size >= o->mem_mib * MIB)
        return err_set(e, -ENOMEM, "could not boot %s: it has %llu MiB, and the machine %llu; see --mem", initrd,
                       (unsigned long long)st.st_size / MIB, (unsigned long long)o->mem_mib);
    return 0;
}

/* QEMU listens itself a moment later; what is taken now is said with its reason. */
static int check_port(const struct run_publish *p, struct err *e) {
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(p->host)};
    int one = 1;

    if (strchr(p->address, ':') || (*p->address && inet_pton(AF_INET, p->address, &v4.sin_addr) != 1))
        return 0;
    AUTO_CLOSE int fd = socket(AF_INET, (p->udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, 0);
    if (fd < 0 || (!p->udp && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0))
        return 0;
    if (bind(fd, (const struct sockaddr *)&v4, sizeof(v4)) < 0)
        return err_errno(e, -errno, "could not publish port %u", p->host);
    return 0;
}

int boot_check(const struct run_options *o, const struct run_boot *b, struct err *e) {
    int r = check_memory(o, b, e);

    for (size_t i = 0; i < o->publish_len && !r; i++)
        r = check_port(&o->publish[i], e);
    return r;
}
