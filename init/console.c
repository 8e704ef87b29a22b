/* SPDX-License-Identifier: Apache-2.0 */
#include "init/console.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "lib/auto.h"
#include "lib/log.h"

static struct console consoles[CMDLINE_CONSOLES_MAX];
static size_t consoles_len;

static bool put(int fd, const char *text, size_t len) {
    ssize_t n;

    do
        n = write(fd, text, len);
    while (n < 0 && errno == EINTR);
    return n == (ssize_t)len;
}

void console_write(struct console *c, const char *line, size_t len) {
    char note[80];

    if (c->lost > 0) {
        int n = snprintf(note, sizeof(note), "init: %lu lines lost: this console took none\n", c->lost);
        if (!put(c->fd, note, (size_t)n)) {
            c->lost++;
            return;
        }
        c->lost = 0;
    }
    if (!put(c->fd, line, len))
        c->lost++;
}

static void write_all(const char *line, size_t len) {
    for (size_t i = 0; i < consoles_len; i++)
        console_write(&consoles[i], line, len);
}

void console_open(const struct cmdline *c) {
    char path[48];

    consoles_len = 0;
    for (size_t i = 0; i < c->consoles_len; i++) {
        (void)snprintf(path, sizeof(path), "/dev/%s", c->consoles[i].name);
        int fd = open(path, O_WRONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
        if (fd >= 0)
            consoles[consoles_len++] = (struct console){.fd = fd};
    }
    log_set_sink(consoles_len ? write_all : NULL);
}
