/* SPDX-License-Identifier: Apache-2.0 */
/* The consoles of the kernel command line, and which of them are terminals that somebody can sit at. */
#ifndef RUNGETTY_CONSOLES_H
#define RUNGETTY_CONSOLES_H

#include <stdbool.h>
#include <sys/types.h>

#include "cmdline/cmdline.h"

enum console_state {
    CONSOLE_UNSEEN,   /* not looked at yet */
    CONSOLE_THERE,    /* a terminal that opens */
    CONSOLE_ABSENT,   /* no such device: it may come later */
    CONSOLE_DEAD,     /* a serial port without a UART */
    CONSOLE_TWIN,     /* another name of a terminal that is there under a name before it */
    CONSOLE_NO_CHAR,  /* no character device */
    CONSOLE_NO_TTY,   /* a character device, but no terminal */
    CONSOLE_NO_NAME,  /* not a name in /dev */
    CONSOLE_NO_ACCESS /* cannot be opened for another reason */
};

struct console {
    char tty[40]; /* below /dev: "ttyS0" */
    char options[32];
    enum console_state state;
    dev_t terminal; /* what is behind the name, if it is there */
    int error;      /* why it cannot be opened: a negative errno */
    const struct console *twin;
};

struct consoles {
    const char *dev; /* "/dev"; must outlive it */
    struct console v[CMDLINE_CONSOLES_MAX];
    size_t len;
};

/*
 * Takes the names over as the kernel reads them: "ttyS" is ttyS0, "tty" is tty0, "0" is ttyS0. Looks at no device. What
 * has no digit and is not console or ttynull has a 0 added.
 */
void consoles_init(struct consoles *c, const char *dev, const struct cmdline *cmdline);

/*
 * Looks at one: opens it without waiting and without writing, and closes it. True if its state is another one than
 * before. May wait for the kernel (30 s at most) while another process closes a line that takes no output.
 */
bool console_look(struct consoles *c, struct console *console);

/* Opens it without waiting; it does not become the controlling terminal. A descriptor or a negative errno. */
int console_open_tty(const struct consoles *c, const struct console *console);

/* True if it may turn out to be there at another look. */
bool console_may_come(const struct console *console);

/* What its state is, for the log: "there is no such device (yet)"; buf is returned. */
const char *console_reason(const struct console *console, char *buf, size_t len);

#endif
