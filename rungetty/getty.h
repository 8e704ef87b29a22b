/* SPDX-License-Identifier: Apache-2.0 */
/* What a console's getty is run as: pure, for tests. */
#ifndef RUNGETTY_GETTY_H
#define RUNGETTY_GETTY_H

#include <stdbool.h>
#include <stddef.h>

#define GETTY_PROGRAM "/sbin/agetty"
#define GETTY_ARGS_MAX 12
#define GETTY_NOTICE_MAX 1024 /* bytes of text before the prompt */

struct getty {
    char speed[16];
    char notice[4 * GETTY_NOTICE_MAX]; /* agetty's form of it: some bytes in octal */
    const char *argv[GETTY_ARGS_MAX];
};

/*
 * `options` are those of console=ttyS0,115200n8r. ttyN: 38400. Everything else: that speed, or 115200 if there is none
 * or agetty does not know it. Serial lines (ttyS, ttyAMA, ttyUSB, ttyMFD): local, vt100; with `r` hardware flow
 * control; with parity or 7 bits the line keeps what the kernel has set. `insecure`: root is logged in without a
 * password. `notice`: lines that agetty writes before each prompt, cut at GETTY_NOTICE_MAX, or "". argv points into g
 * and to tty, which must outlive it.
 */
void getty_plan(struct getty *g, const char *tty, const char *options, bool insecure, const char *notice);

/* True if the list (/etc/securetty's text; comments start with #) names the tty on a line of its own. */
bool securetty_has(const char *text, const char *tty);

#endif
