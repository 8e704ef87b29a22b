/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One line on a terminal, for a build that takes longer than a second: which part it is at. Nothing without a terminal.
 * A thread of its own draws it, so that it moves while somebody works.
 */
#ifndef TOOLS_BUILD_PROGRESS_H
#define TOOLS_BUILD_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/auto.h"

struct progress_line;

/* NULL: none is shown; all of these take it. `name` is the appliance's. */
struct progress_line *progress_line_start(const char *name, bool quiet);
/* Part i of len is at work. */
void progress_part(struct progress_line *p, size_t i, size_t len, const char *what);
/* Everything is in; what is made of it now. */
void progress_finish(struct progress_line *p, const char *what);
void progress_line_end(struct progress_line *p);
DEFINE_AUTO(struct progress_line *, progress_line_end)
#define AUTO_PROGRESS_LINE AUTO(progress_line_end_auto)

#endif
