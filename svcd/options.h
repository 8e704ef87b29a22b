/* SPDX-License-Identifier: Apache-2.0 */
/* The command line of `service`: pure, for tests. */
#ifndef SVCD_OPTIONS_H
#define SVCD_OPTIONS_H

#include <stdbool.h>

#include "lib/err.h"
#include "lib/log.h"

struct options {
    enum log_level level;
    bool quiet, verbose; /* which `level` comes from */
    bool json, svg, help, follow;
    const char *sock, *path, *ns; /* containerd's socket, the bundles' directory, containerd's namespace; or NULL */
    const char *dump_spec, *containerd; /* a file; containerd's program; or NULL */
    const char *command;                /* "" if there is none */
    char **args;                        /* behind the command's name */
    int args_len;
};

/*
 * Options (one dash or two; "--sock PATH" or "--sock=PATH") may stand before and after the command; behind "--" nothing
 * is an option. Sorts argv: words first. -EINVAL: an unknown option, or what is wrong with its value.
 */
int options_parse(int argc, char **argv, struct options *o, struct err *e);

/* Options that not every command takes. */
enum option_bit {
    OPTION_JSON = 1,
    OPTION_SVG = 2,
    OPTION_FOLLOW = 4,
    OPTION_SOCK = 8,
    OPTION_PATH = 16,
    OPTION_NAMESPACE = 32,
    OPTION_DUMP_SPEC = 64,
    OPTION_CONTAINERD = 128
};

/* -EINVAL: an option was given that is not in `takes`, or there are fewer or more arguments. */
int options_check(struct options *o, unsigned takes, int args_min, int args_max, struct err *e);

/*
 * The command that init.d's and shutdown.d's links choose by a word in their names ("020-containerd": "system-init");
 * NULL: the program was called by another name.
 */
const char *options_linked_command(const char *name);

#endif
