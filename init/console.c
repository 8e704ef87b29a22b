/* SPDX-License-Identifier: Apache-2.0 */
#include "init/console.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "init/report.h"
#include "lib/auto.h"
#include "lib/log.h"

static struct console consoles[CMDLINE_CONSOLES_MAX];
static size_t consoles_len;
static unsigned long lost_ever;

static int open_console(const char *path) {
    return open(path, O_WRONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
}

static bool put_once(int fd, const char *text, size_t len) {
    ssize_t n;

    do
        n = write(fd, text, len);
    while (n < 0 && errno == EINTR);
    if (n >= 0 && n < (ssize_t)len)
        errno = EAGAIN;
    return n == (ssize_t)len;
}

/* EIO: somebody called vhangup(2), and what was open before is dead. */
static bool put(struct console *c, const char *text, size_t len) {
    if (put_once(c->fd, text, len))
        return true;
    if (errno != EIO && c->fd >= 0)
        return false;
    if (c->fd >= 0)
        (void)close(c->fd);
    c->fd = open_console(c->path);
    return c->fd >= 0 && put_once(c->fd, text, len);
}

void console_write(struct console *c, const char *line, size_t len) {
    char note[80];

    if (c->lost > 0) {
        int n = snprintf(note, sizeof(note), "init: %lu lines lost: this console took none\n", c->lost);
        if (!put(c, note, (size_t)n)) {
            c->lost++;
            lost_ever++;
            return;
        }
        c->lost = 0;
    }
    if (!put(c, line, len)) {
        c->lost++;
        lost_ever++;
    }
}

unsigned long console_lost(void) {
    return lost_ever;
}

static void write_all(const char *line, size_t len) {
    for (size_t i = 0; i < consoles_len; i++)
        if (consoles[i].seen)
            console_write(&consoles[i], line, len);
}

void console_open_more(void) {
    bool any = false;

    for (size_t i = 0; i < consoles_len; i++) {
        struct console *c = &consoles[i];
        if (!c->seen) {
            c->fd = open_console(c->path);
            c->seen = c->fd >= 0;
            if (!c->seen)
                report_unless_absent("open", c->path);
        }
        any |= c->seen;
        log_set_sink(any ? write_all : NULL);
    }
}

void console_open(const struct cmdline *c) {
    log_set_sink(NULL);
    consoles_len = c->consoles_len;
    for (size_t i = 0; i < consoles_len; i++) {
        consoles[i] = (struct console){.fd = -1};
        (void)snprintf(consoles[i].path, sizeof(consoles[i].path), "/dev/%s", c->consoles[i].name);
    }
    console_open_more();
}
