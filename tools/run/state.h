/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOOLS_RUN_STATE_H
#define TOOLS_RUN_STATE_H

#include "tools/run/options.h"

/*
 * What belongs to a machine between its runs: --state, else NAME-state; made when something goes into it. Gives disks
 * without a file one there (disk0.qcow2, ...), and writes data.iso for --data and --data-file, whose path goes to
 * data_iso ("" if there is none). A detached machine has its sockets there: the folder's path goes to o->detach_dir.
 * With dry_run the paths are settled and nothing is written.
 */
int state_prepare(struct run_options *o, char data_iso[RUN_PATH_MAX], struct err *e);

/* STATE/FILE, or NAME-state/FILE if state is NULL. */
int state_file(const char *state, const char *name, const char *file, char out[RUN_PATH_MAX], struct err *e);

#endif
