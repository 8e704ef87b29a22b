/* SPDX-License-Identifier: Apache-2.0 */
/* Programs of Debian that make images: found before anything is built, run with an environment that leaves no traces.
 */
#ifndef TOOLS_OUTPUT_PROGRAM_H
#define TOOLS_OUTPUT_PROGRAM_H

#include "lib/err.h"

/* The time of everything in an image: LinuxKit's. */
#define IMAGE_TIME 1492533000

/* A program, or with a slash a file, and the Debian package that has it. */
struct need {
    const char *name;
    const char *package;
};

/* -ENOENT, naming what is missing and its package. Looks into PATH, /usr/sbin and /sbin. */
int need_check(const struct need *n, struct err *e);

/*
 * Runs to its end with `input` (NULL: nothing) on its standard input. What it prints is shown only if it fails: the
 * last line, in the message. It sees IMAGE_TIME as SOURCE_DATE_EPOCH, UTC, and the C locale.
 */
int program_run(const char *const *argv, const char *input, struct err *e);

#endif
