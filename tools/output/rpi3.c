/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rpi3: a tar of what the FAT partition of a Raspberry Pi 3's SD card holds. The board's own firmware reads config.txt,
 * loads kernel, initrd and the board's device tree, and hands on cmdline.txt: no boot loader is needed between them.
 * https://www.raspberrypi.com/documentation/computers/config_txt.html
 */
#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/fdutil.h"
#include "tools/output/output.h"
#include "tools/output/parts.h"
#include "tools/output/rpi3.h"
#include "tools/output/tar.h"

#define FIRMWARE_VAR "KEELSON_RPI3_FIRMWARE"
#define FIRMWARE_DEFAULT "/usr/lib/raspi-firmware"
#define LICENCE "LICENCE.broadcom"
#define LICENCE_OF_DEBIAN "../../share/doc/raspi-firmware/copyright" /* from the firmware's folder */

/* The kernel's trees have other names than those that the firmware looks for unless it is told (upstream_kernel). */
static const char config[] = "arm_64bit=1\n"
                             "enable_uart=1\n"
                             "upstream_kernel=1\n"
                             "kernel=kernel\n"
                             "initramfs initrd.img followkernel\n";

/* What config.txt may choose among; LinuxKit's card has the same. */
static const char *const firmware[] = {"bootcode.bin", "fixup.dat",    "fixup_cd.dat", "fixup_x.dat",
                                       "start.elf",    "start_cd.elf", "start_x.elf"};

static const char *firmware_dir(void) {
    const char *dir = getenv(FIRMWARE_VAR);

    return dir && *dir ? dir : FIRMWARE_DEFAULT;
}

/* Whoever passes the firmware on has to pass its licence on, too. Malloc'd; NULL: there is none. */
static char *find_licence(void) {
    static const char *const names[] = {LICENCE, LICENCE_OF_DEBIAN};

    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        char *path = path_join(firmware_dir(), names[i]);
        if (path && access(path, R_OK) == 0)
            return path;
        free(path);
    }
    return NULL;
}

int rpi3_check(struct err *e) {
    AUTO_FREE char *licence = find_licence();

    for (size_t i = 0; i < ARRAY_SIZE(firmware); i++) {
        AUTO_FREE char *path = path_join(firmware_dir(), firmware[i]);
        if (!path || access(path, R_OK) < 0)
            return err_set(e, -ENOENT,
                           "could not find %s/%s: install the Debian package raspi-firmware (of the component "
                           "non-free-firmware), or name its folder in " FIRMWARE_VAR,
                           firmware_dir(), firmware[i]);
    }
    return licence ? 0 : err_set(e, -ENOENT, "could not find the firmware's licence %s/" LICENCE, firmware_dir());
}

static int put_firmware(struct stream *card, struct err *e) {
    AUTO_FREE char *licence = find_licence();
    int r = rpi3_check(e);

    for (size_t i = 0; i < ARRAY_SIZE(firmware) && !r; i++) {
        AUTO_FREE char *path = path_join(firmware_dir(), firmware[i]);
        r = path ? tar_put_file(card, firmware[i], path, e) : err_errno(e, -ENOMEM, "could not open %s", firmware[i]);
    }
    return !r && licence ? tar_put_file(card, LICENCE, licence, e) : r;
}

static int put_trees(struct stream *card, const struct parts *p, struct err *e) {
    AUTO_NAMES struct names names = {0};
    bool found = false;
    int r = list_dir(p->dir, &names, e);

    for (size_t i = 0; i < names.len && !r; i++) {
        AUTO_FREE char *path = path_join(p->dir, names.v[i]);
        if (fnmatch(strchr(RPI3_TREES, '/') + 1, names.v[i], 0) != 0)
            continue;
        found = true;
        r = path ? tar_put_file(card, names.v[i], path, e) : err_errno(e, -ENOMEM, "could not open %s", names.v[i]);
    }
    if (!r && !found)
        r = err_set(e, -ENOENT,
                    "could not use the kernel: its kernel.tar has no device tree " BOOT_TREES RPI3_TREES
                    " (keelson/kernel-rpi3 has them)");
    return r;
}

static int put_text(struct stream *card, const struct parts *p, const char *name, const char *text, struct err *e) {
    char path[PATH_MAX];
    int r = parts_text(p, name, text, path, e);

    return r ? r : tar_put_file(card, name, path, e);
}

int make_rpi3(const struct parts *p, const char *out, struct err *e) {
    char cmdline[CMDLINE_MAX + 2];
    AUTO_STREAM struct stream *card = NULL;
    int r = stream_open(out, &card, e);

    (void)snprintf(cmdline, sizeof(cmdline), "%s\n", p->cmdline);
    if (!r)
        r = put_firmware(card, e);
    if (!r)
        r = put_text(card, p, "config.txt", config, e);
    if (!r)
        r = put_text(card, p, "cmdline.txt", cmdline, e);
    if (!r)
        r = put_trees(card, p, e);
    if (!r)
        r = tar_put_file(card, "kernel", p->kernel, e);
    if (!r)
        r = tar_put_file(card, "initrd.img", p->initrd, e);
    if (!r)
        r = tar_end(card, e);
    return r ? r : stream_commit(card, e);
}
