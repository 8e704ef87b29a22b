/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What PID 1's children print, on its way to the console. They write into a pipe, never to the terminal itself, so that
 * a console that is stopped (flow control, a closed pty) holds nobody up. A slow console gets everything: the pipe
 * fills, and who prints waits. One that takes nothing for RELAY_PATIENCE_MS is given up until it takes something again;
 * what is printed meanwhile is dropped and counted, and the number is said on it then.
 */
#ifndef INIT_RELAY_H
#define INIT_RELAY_H

#include "lib/loop.h"

#define RELAY_PATIENCE_MS 1000
#define RELAY_TAIL 400 /* of what is printed, kept for the boot record */
#define RELAY_BUF 4096 /* on top of the pipe's 64 KiB */

struct relay {
    struct loop *loop;
    struct loop_source in, out, patience;
    int pipe_fd, console_fd;
    char buf[RELAY_BUF];
    size_t begin, end; /* what of buf is still to be written */
    bool given_up;
    unsigned long long lost, lost_ever; /* bytes */
    char tail[RELAY_TAIL + 1];          /* the last that came, since relay_forget() */
    size_t tail_len;
};

/*
 * Returns the end of the pipe that children write to (the caller's to close), or a negative errno. console_fd must be
 * non-blocking and stays the caller's.
 */
int relay_start(struct relay *r, struct loop *l, int console_fd);

/* Passes on what is in the pipe, as far as the console takes it at once: before the machine ends. */
void relay_flush(struct relay *r);

/* What comes from now on is another's. */
void relay_forget(struct relay *r);

#endif
