/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/output/loader.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/fdutil.h"

const char *efi_boot_path(const struct parts *p) {
    return strcmp(p->arch, "arm64") ? "EFI/BOOT/BOOTX64.EFI" : "EFI/BOOT/BOOTAA64.EFI";
}

int syslinux_config(const struct parts *p, const char *kernel, const char *initrd, struct buf *out, struct err *e) {
    const char *serial = strstr(p->cmdline, "console=ttyS0") ? "SERIAL 0 115200\n" : "";

    return buf_printf(out, "%sDEFAULT linux\nPROMPT 0\nTIMEOUT 1\nLABEL linux\n  KERNEL %s\n  INITRD %s\n  APPEND %s\n",
                      serial, kernel, initrd, p->cmdline) < 0
               ? err_errno(e, -ENOMEM, "could not write the loader's configuration")
               : 0;
}

const char *syslinux_cmdline(char *text) {
    for (char *line; (line = next_line(&text));) {
        line += strspn(line, " ");
        if (!strncmp(line, "APPEND ", 7))
            return line + 7;
    }
    return NULL;
}

/* The file that only this image has tells its medium from others. */
static int grub_config(const struct parts *p, struct buf *out, struct err *e) {
    char marker[64], path[PATH_MAX];

    (void)snprintf(marker, sizeof(marker), "boot/%08x.id", parts_serial(p));
    (void)snprintf(path, sizeof(path), "iso/%s", marker);
    AUTO_FREE char *name = strdup(path);
    int r = name ? parts_text(p, name, "", path, e) : err_errno(e, -ENOMEM, "could not write %s", marker);
    if (r < 0)
        return r;
    return buf_printf(
               out, "search --no-floppy --file --set=root /%s\nlinux /boot/kernel %s\ninitrd /boot/initrd.img\nboot\n",
               marker, p->cmdline) < 0
               ? err_errno(e, -ENOMEM, "could not write the loader's configuration")
               : 0;
}

int grub_make(const struct parts *p, char *out, struct err *e) {
    AUTO_BUF struct buf config = BUF_INIT;
    char path[PATH_MAX];
    const char *const argv[] = {
        "grub-mkimage", "-O",      "x86_64-efi", "-c",       path,         "-p",     "/EFI/BOOT",      "-o",   out,
        "linux",        "iso9660", "fat",        "part_gpt", "part_msdos", "search", "search_fs_file", "boot", NULL};

    /* GRUB's shell would take them for its own, and what it hands on is not what was written. */
    const char *odd = p->cmdline + strcspn(p->cmdline, "\"'\\$;|&<>{}#");
    if (*odd)
        return err_set(e, -EINVAL,
                       "could not make an ISO for both firmwares: GRUB cannot hand on the %c in kernel.cmdline", *odd);
    int r = grub_config(p, &config, e);
    if (!r)
        r = parts_text(p, "grub.cfg", config.data, path, e);
    if (!r)
        r = parts_path(p, "grub.efi", out, e);
    return r ? r : program_run(argv, NULL, e);
}
