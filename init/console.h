/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PID 1's messages, on every console= of the kernel command line, on none twice. Never blocks: a console that takes
 * nothing (flow control, a closed pty) loses lines; how many is said on it when it takes some again.
 */
#ifndef INIT_CONSOLE_H
#define INIT_CONSOLE_H

#include "cmdline/cmdline.h"

/* Opens the consoles and sends the log there; without any that opens, to descriptor 2 as before. */
void console_open(const struct cmdline *c);

/* One console; for tests. */
struct console {
    int fd;
    unsigned long lost;
};
void console_write(struct console *c, const char *line, size_t len);

#endif
