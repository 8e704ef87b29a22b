/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is wrong with the files of a build, collected so that all of it is told in one go. A problem is an error whose
 * message begins with its place, FILE:LINE:COLUMN; the line is shown below it if the file's text is known.
 */
#ifndef TOOLS_CONFIG_PROBLEMS_H
#define TOOLS_CONFIG_PROBLEMS_H

#include <stddef.h>

#include "lib/buf.h"
#include "lib/err.h"

#define PROBLEMS_MAX 50 /* shown; those beyond are counted */

struct problem_source {
    char *file;
    struct buf text;
};

struct problems {
    unsigned count;
    struct buf text;  /* a message, its line and a mark below it, for each */
    struct err first; /* code and message of the first */
    struct problem_source *sources;
    size_t sources_len;
};

/* Takes text over (it is empty afterwards), to show lines of it. -ENOMEM. */
int problems_add_source(struct problems *p, const char *file, struct buf *text);

/* Notes what e says, once however often it comes. */
void problems_add(struct problems *p, const struct err *e);

/* 0 if there are none; else the first one's code, with its message and how many more there are in *e. */
int problems_result(const struct problems *p, struct err *e);

void problems_free(struct problems *p);
#define AUTO_PROBLEMS AUTO(problems_free)

#endif
