/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The appliance's getty.shadow becomes the image's /etc/shadow, but is checked first: what is wrong with it is said on
 * the console, where the one who cannot log in sees it.
 */
#ifndef RUNGETTY_SHADOW_H
#define RUNGETTY_SHADOW_H

#include <stdbool.h>

#include "lib/buf.h"
#include "lib/err.h"

#define SHADOW_MAX ((size_t)1 << 20)
#define SHADOW_NOTICES_MAX 768

/*
 * Appends to `out` the lines that login can read, each with its end, and to `notices` a line for everything that is
 * wrong: "FILE:LINE: ...". A line whose name and password can be told is completed (all that follows becomes empty);
 * one that is broken before that is left out, and so is a broken one whose password is empty: a file that was cut off
 * opens nothing. Of root the first line counts. The notices have SHADOW_NOTICES_MAX bytes, those about others than root
 * half of it; how many did not fit is the last one, beyond that. `text` is cut up. -ENOMEM, or -E2BIG from the bound of
 * `out`.
 */
int shadow_check(char *text, const char *file, struct buf *out, struct buf *notices);

/*
 * Reads `from`, which the notices call `label`, checks it, and writes `to` aside with mode 0600 before it is renamed.
 * 0, or a negative errno with *e: `to` is as it was. -ENOENT: there is no `from`; -ELOOP: it is a link to nothing.
 */
int shadow_install(const char *from, const char *label, const char *to, struct buf *notices, struct err *e);

/* Only says what is wrong with a file. */
int shadow_examine(const char *path, struct buf *notices, struct err *e);

#endif
