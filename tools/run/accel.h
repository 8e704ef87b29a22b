/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Acceleration is used only when it is seen to work. /dev/kvm may be there and answer nothing for ever, or run a few
 * instructions and then hang in the kernel's start, and a process that hangs in the host's kernel cannot even be
 * killed. So QEMU in a child boots the very kernel without an initrd, and nobody waits for it beyond a deadline.
 */
#ifndef TOOLS_RUN_ACCEL_H
#define TOOLS_RUN_ACCEL_H

#include "lib/err.h"
#include "tools/run/options.h"

#define ACCEL_DEADLINE_MS 5000

/* Picks the first of o->accel that works; tcg needs no trial. *accel is "kvm" or "tcg"; an error says why none does.
 * Without a kernel of its own to boot (an ISO, a disk), nothing can be tried: automatic is tcg then, and kvm is taken
 * at its word. */
int accel_pick(const struct run_options *o, bool kernel, const char **accel, struct err *e);

/* Boots NAME-kernel with that accelerator: 0 if it comes to the end of its start in time. */
int accel_try(const struct run_options *o, const char *accel, unsigned timeout_ms, struct err *e);

/*
 * Runs argv until its output holds the end of a Linux kernel's start, and kills it. -EIO: it ended before that;
 * -ETIMEDOUT: it did not say so in timeout_ms; it is then left behind without waiting for its end.
 */
int accel_probe(const char *const *argv, unsigned timeout_ms, struct err *e);

#endif
