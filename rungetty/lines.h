/* SPDX-License-Identifier: Apache-2.0 */
/* Each console that is there, and the getty that runs on it: started, started again, hung up. */
#ifndef RUNGETTY_LINES_H
#define RUNGETTY_LINES_H

#include "lib/respawn.h"
#include "rungetty/consoles.h"
#include "rungetty/getty.h"
#include "rungetty/watch.h"

#define LINES_SETTLE_MS 200 /* devices come in swarms */
#define LINES_AGAIN_MS 10000

struct lines_config {
    const char *dev;       /* "/dev" */
    const char *program;   /* GETTY_PROGRAM */
    const char *securetty; /* the text of /etc/securetty; NULL: there is none, and every terminal is fit for root */
    const char *notices;   /* lines for every console, before each prompt; "" */
    unsigned again_ms;     /* some consoles come without a sign in /dev: until the next look at the missing */
    bool insecure;
};

struct line {
    struct console *console;
    struct getty getty;
    struct respawn child;
};

struct lines {
    struct loop *loop;
    struct lines_config config; /* its texts must outlive the lines */
    struct consoles consoles;
    struct line v[CMDLINE_CONSOLES_MAX];
    struct watch watch;
    struct loop_source settle, again;
};

/* Looks at all consoles and starts a getty on those that are there; what comes later gets its own when it comes. */
void lines_start(struct lines *l, struct loop *loop, const struct lines_config *config, const struct cmdline *cmdline);

/* A child has ended: a getty is started again, unless its console has gone. */
void lines_reaped(struct lines *l, pid_t pid, int status);

/*
 * The end: hangs up every line that has a getty, which ends all sessions on it, and starts nothing any more. Lines that
 * were never started have to be zero, and stay so.
 */
void lines_hang_up(struct lines *l);

#endif
