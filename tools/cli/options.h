/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A command's options as one table, from which they are read and listed. One dash or two; --NAME VALUE or --NAME=VALUE;
 * a flag may be given as --NAME=false. A name may be cut short as long as it is clear.
 */
#ifndef TOOLS_CLI_OPTIONS_H
#define TOOLS_CLI_OPTIONS_H

#include <getopt.h>
#include <stdbool.h>
#include <stddef.h>

#include "lib/auto.h"

#define EXIT_USAGE 100

struct option_row {
    const char *name;
    char letter;          /* -X for it; 0: none */
    const char *argument; /* what it is called in the list; NULL: a flag */
    const char *help;     /* lines end with \n but for the last; NULL: not listed */
    /* where its value goes, one of: */
    const char **text;
    bool *flag;
    int (*take)(void *to, const char *value); /* negative: it is wrong, and that was reported; a flag has no value */
    void *to;
};

/* Rows; `where` is an lvalue, help NULL for what is not listed. */
#define OPTION_TEXT(option, arg, where, what)                                                                          \
    { .name = (option), .argument = (arg), .text = &(where), .help = (what) }
#define OPTION_FLAG(option, where, what)                                                                               \
    { .name = (option), .flag = &(where), .help = (what) }
#define OPTION_TAKE(option, arg, fn, where, what)                                                                      \
    { .name = (option), .argument = (arg), .take = (fn), .to = &(where), .help = (what) }

/* Options that several commands share, as getopt has them; their values are FIRST_SHARED or more. */
struct option_group {
    const struct option *v;
    size_t len;
    bool (*take)(void *to, int option, const char *value); /* false: it is wrong */
    void *to;
};

struct option_table {
    const char *head, *tail; /* what stands above the options, and below */
    const struct option_row *rows;
    size_t len;
    struct option_group shared;
};

#define FIRST_SHARED 1000

/*
 * Reads the options; what else is there comes after them in argv, from *first on. 0: go on. 1: --help, it was printed.
 * Negative: misuse, reported.
 */
int options_read(const struct option_table *table, int argc, char **argv, int *first);

/* "true", "1", "t", "false", "0", "f"; -EINVAL. */
int options_bool(const char *word, bool *out);

/* The value of a flag, NULL for one without. False: it is wrong, and that was reported. */
bool options_flag(const char *name, const char *value, bool *flag);

#endif
