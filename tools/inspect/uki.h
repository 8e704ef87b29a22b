/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOOLS_INSPECT_UKI_H
#define TOOLS_INSPECT_UKI_H

#include <stdio.h>

#include "lib/err.h"

/*
 * The contents of a PE program's section (".linux"), in a temporary file; *out is NULL if it has none of that name.
 * Whatever its headers say, no more is copied than there is in f. -EBADMSG: it is cut off.
 */
int uki_section(FILE *f, const char *name, FILE **out, struct err *e);

#endif
