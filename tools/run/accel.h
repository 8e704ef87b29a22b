/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Acceleration is used only when it is seen to work. /dev/kvm may be there and answer nothing for ever, and a process
 * that hangs in the kernel cannot even be killed; so a child tries, and nobody waits for it beyond a deadline.
 */
#ifndef TOOLS_RUN_ACCEL_H
#define TOOLS_RUN_ACCEL_H

#include "lib/err.h"
#include "tools/run/options.h"

#define ACCEL_DEADLINE_MS 3000

/* Picks the first of o->accel that works. *accel is "kvm" or "tcg"; an error says why none does. */
int accel_pick(const struct run_options *o, const char **accel, struct err *e);

/*
 * Runs argv as the probe: 0 if it exits with status 0 within timeout_ms. A probe that is late is sent SIGKILL and left
 * behind without waiting for its end (-ETIMEDOUT). What the probe says on stderr is the caller's stderr.
 */
int accel_probe(const char *const *argv, unsigned timeout_ms, struct err *e);

/* The probe itself, in this process, which may hang: makes a machine with one CPU and lets it run an instruction. */
int accel_try_kvm(const char *device, struct err *e);

#endif
