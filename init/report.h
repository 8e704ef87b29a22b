/* SPDX-License-Identifier: Apache-2.0 */
/* How PID 1 says that something failed: in one line, and goes on. errno is that of the call that failed. */
#ifndef INIT_REPORT_H
#define INIT_REPORT_H

#include "lib/timeline.h"

/* "could not VERB WHAT: why" */
void report_failed(const char *verb, const char *what);

/* Nothing is said of what is not there, or of hardware that is not: it may be missing. */
void report_unless_absent(const char *verb, const char *what);

/*
 * Adds a stage to the boot timeline. That it cannot be written is said once; it stops nothing. Without /run/keelson,
 * of which its maker has told, nothing is said.
 */
void report_stage(const struct timeline_stage *s);

#endif
