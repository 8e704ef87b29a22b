/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOOLS_OUTPUT_VERIFY_H
#define TOOLS_OUTPUT_VERIFY_H

#include "lib/err.h"

/* Every file of `again` is in `dir` with the same bytes, and there is one at least: else -EILSEQ names the first place
 * where they differ. */
int verify_same(const char *dir, const char *again, struct err *e);

#endif
