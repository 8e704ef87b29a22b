/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The messages of PID 1 and its workers, on every console= of the kernel command line, on none twice. Never blocks: a
 * console that takes nothing (flow control, a closed pty) loses lines; how many is said on it when it takes some again.
 * One that was hung up, as a getty does it before its login, is opened anew.
 */
#ifndef INIT_CONSOLE_H
#define INIT_CONSOLE_H

#include "cmdline/cmdline.h"

/* Opens the consoles and sends the log there; without any that opens, to descriptor 2 as before. */
void console_open(const struct cmdline *c);
/* Those whose devices were not there when console_open() looked: a driver may have brought them. */
void console_open_more(void);

/* Lines that a console has not taken, of this process. */
unsigned long console_lost(void);

/* One console; for tests. */
struct console {
    char path[48];
    int fd;    /* -1: it could not be opened, or not again */
    bool seen; /* it was open once: from then on lines that it takes not are lost, and counted */
    unsigned long lost;
};
void console_write(struct console *c, const char *line, size_t len);

#endif
