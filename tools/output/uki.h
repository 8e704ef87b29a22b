/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOOLS_OUTPUT_UKI_H
#define TOOLS_OUTPUT_UKI_H

#include "tools/output/parts.h"

#define EFI_STUB_AMD64 "/usr/lib/systemd/boot/efi/linuxx64.efi.stub"
#define EFI_STUB_ARM64 "/usr/lib/systemd/boot/efi/linuxaa64.efi.stub"

/* Writes the EFI program with this stub. */
int uki_write(const char *stub, const struct parts *p, const char *path, struct err *e);

#endif
