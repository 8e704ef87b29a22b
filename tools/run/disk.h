/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOOLS_RUN_DISK_H
#define TOOLS_RUN_DISK_H

#include "tools/run/options.h"

/*
 * Makes the disk's file if there is none (size_mib says how big; qemu-img does it; not if dry_run), and settles
 * d->format: what was asked for, else what the file's first bytes say.
 */
int disk_prepare(struct run_disk *d, bool dry_run, struct err *e);

#endif
