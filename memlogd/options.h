/* SPDX-License-Identifier: Apache-2.0 */
/* Options as LinuxKit's programs take them: -NAME VALUE, --NAME VALUE, -NAME=VALUE; a flag is -NAME or -NAME=false. */
#ifndef MEMLOGD_OPTIONS_H
#define MEMLOGD_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/buf.h"
#include "lib/err.h"

struct option_def {
    const char *name; /* NULL ends the table */
    enum { OPTION_FLAG, OPTION_STRING, OPTION_NUMBER } type;
    union {
        bool *flag;
        const char **string;
        int64_t *number;
    } to;
    int64_t min, max; /* of a number */
    const char *help;
};

/* Sets *rest to the first argument that is no option ("--" is taken away). -EINVAL; -ECANCELED: help was asked for. */
int options_parse(const struct option_def *defs, char **argv, char ***rest, struct err *e);
/*
 * The words of a file as arguments, behind argv[0]; # begins a comment. *text is theirs. No file: none. -E2BIG: more
 * than max - 2 words. The list ends with NULL.
 */
int options_read(const char *path, struct buf *text, char **argv, size_t max, struct err *e);
/* Prints "usage: USAGE" and the table. */
void options_help(const struct option_def *defs, const char *usage);

#endif
