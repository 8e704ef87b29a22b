/* SPDX-License-Identifier: Apache-2.0 */
/* Boot loaders, and how each is told what to load. */
#ifndef TOOLS_OUTPUT_LOADER_H
#define TOOLS_OUTPUT_LOADER_H

#include "lib/buf.h"
#include "tools/output/parts.h"

#define ISOLINUX_BIN "/usr/lib/ISOLINUX/isolinux.bin"
#define ISOHYBRID_MBR "/usr/lib/ISOLINUX/isohdpfx.bin"
#define SYSLINUX_LDLINUX "/usr/lib/syslinux/modules/bios/ldlinux.c32"
#define SYSLINUX_MBR "/usr/lib/syslinux/mbr/mbr.bin"
#define GRUB_EFI_MODULES "/usr/lib/grub/x86_64-efi/moddep.lst"

/* isolinux.cfg and syslinux.cfg. */
int syslinux_config(const struct parts *p, const char *kernel, const char *initrd, struct buf *out, struct err *e);

/* The command line in one of these, whose text is cut up for it; NULL: there is none. */
const char *syslinux_cmdline(char *text);

/* GRUB as one EFI program that looks for boot/kernel on the medium it came from; out (PATH_MAX bytes) gets its path. */
int grub_make(const struct parts *p, char *out, struct err *e);

/* Where firmware looks for an EFI program that it was not told of. */
const char *efi_boot_path(const struct parts *p);

#endif
