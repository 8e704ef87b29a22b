/* SPDX-License-Identifier: Apache-2.0 */
/* What a console's getty is run as: pure, for tests. */
#ifndef RUNGETTY_GETTY_H
#define RUNGETTY_GETTY_H

#include <stdbool.h>

#include "cmdline/cmdline.h"

#define GETTY_PROGRAM "/sbin/agetty"
#define GETTY_ARGS_MAX 10

struct getty {
    char tty[32];
    char speed[16];
    const char *argv[GETTY_ARGS_MAX];
};

/*
 * Serial lines (ttyS, ttyAMA, ttyUSB, ttyMFD): local, vt100, the speed of console=ttyS0,115200n8 or 115200. ttyN:
 * 38400. Everything else: 115200. `insecure`: root is logged in without a password. argv points into g.
 */
void getty_plan(struct getty *g, const struct cmdline_console *console, bool insecure);

/* True if the list (/etc/securetty's text; comments start with #) names the tty on a line of its own. */
bool securetty_has(const char *text, const char *tty);

#endif
