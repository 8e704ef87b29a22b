/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A tar of what a tree comes to: each path once, as what came last for it, directories first. Whoever makes a file
 * system of a tar does not agree with others about a path that is there twice: sqfstar keeps the first, and GNU tar
 * has it fail for what replaces a link in a fakeroot.
 */
#ifndef TOOLS_OUTPUT_SETTLED_H
#define TOOLS_OUTPUT_SETTLED_H

#include "tools/output/output.h"

/*
 * output_finish() makes `path`, its name included; until then what is added is in another file beside it. Memory: the
 * path, and a hard link's target, of each entry. A hard link to what is replaced later keeps what it was made of.
 */
int output_settled_new(const char *path, struct output **out, struct err *e);

#endif
