/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Programs of Debian that make images and look into them: found before anything is done, run with an environment that
 * leaves no traces.
 */
#ifndef TOOLS_OUTPUT_PROGRAM_H
#define TOOLS_OUTPUT_PROGRAM_H

#include <stdio.h>
#include <sys/types.h>

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
/*
 * The same with descriptors as its standard input and output, which it may open by these names. /dev/stdout is none:
 * what replaces files replaces that link.
 */
#define PROGRAM_INPUT "/proc/self/fd/0"
#define PROGRAM_OUTPUT "/proc/self/fd/1"
int program_run_on(const char *const *argv, int in, int out, struct err *e);

/* One whose output is read while it runs. */
struct program {
    FILE *out;
    const char *name;
    pid_t pid;
    int said; /* on its standard error */
};
#define PROGRAM_NONE                                                                                                   \
    { .said = -1 }

/* argv[0] has to outlive it. */
int program_open(struct program *p, const char *const *argv, int in, struct err *e);
/* Reads what is left of its output, and waits for its end. */
int program_close(struct program *p, struct err *e);
void program_free(struct program *p); /* kills it if it still runs */
#define AUTO_PROGRAM AUTO(program_free)

#endif
