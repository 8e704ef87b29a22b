/* SPDX-License-Identifier: Apache-2.0 */
#include "rungetty/lines.h"

#include <errno.h>
#include <linux/serial.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>

#include "lib/log.h"
#include "lib/request.h"

#define DRAIN_CS 100 /* in the kernel's unit, 1/100 s */

static void plan(const struct lines *l, struct line *line) {
    char notice[GETTY_NOTICE_MAX];
    const struct console *c = line->console;
    bool unfit = l->config.securetty && !securetty_has(l->config.securetty, c->tty);

    (void)snprintf(notice, sizeof(notice), "%s%s%s%s", unfit ? "rungetty: " : "", unfit ? c->tty : "",
                   unfit ? " is not in /etc/securetty: root cannot log in with a password here\n" : "",
                   l->config.notices);
    getty_plan(&line->getty, c->tty, c->options, l->config.insecure, notice);
    line->getty.argv[0] = l->config.program;
    if (unfit)
        log_warning("%s is not in /etc/securetty: root cannot log in with a password there", c->tty);
}

static void look(struct lines *l, struct line *line) {
    char reason[128];

    bool changed = console_look(&l->consoles, line->console);
    if (line->console->state != CONSOLE_THERE) {
        if (changed)
            log_notice("no login on %s: %s", line->console->tty, console_reason(line->console, reason, sizeof(reason)));
        return;
    }
    if (changed)
        log_notice("a login on %s", line->console->tty);
    plan(l, line);
    respawn_start(&line->child, l->loop, line->getty.argv);
}

static void look_at_missing(struct lines *l);

static void on_again(struct loop_source *s, void *data) {
    (void)s;
    look_at_missing(data);
}

static void look_at_missing(struct lines *l) {
    bool some_may_come = false;

    for (struct line *line = l->v; line < l->v + l->consoles.len; line++) {
        if (!line->child.wanted)
            look(l, line);
        some_may_come |= console_may_come(line->console);
    }
    if (some_may_come && loop_set_timer(l->loop, &l->again, l->config.again_ms, on_again, l) < 0)
        log_error("could not set a timer: consoles that come later get no login");
}

static void on_dev(void *data) {
    struct lines *l = data;

    if (!loop_has(&l->settle) && loop_set_timer(l->loop, &l->settle, LINES_SETTLE_MS, on_again, l) < 0)
        look_at_missing(l);
}

void lines_start(struct lines *l, struct loop *loop, const struct lines_config *config, const struct cmdline *cmdline) {
    *l = (struct lines){.loop = loop, .config = *config};
    consoles_init(&l->consoles, config->dev, cmdline);
    for (size_t i = 0; i < l->consoles.len; i++)
        l->v[i].console = &l->consoles.v[i];
    /* First the watch, then the look: nothing comes unseen in between. */
    int r = watch_start(&l->watch, loop, config->dev, on_dev, l);
    if (r < 0)
        log_error("could not watch %s: %s: consoles that come later are seen late", config->dev, strerror(-r));
    look_at_missing(l);
}

void lines_reaped(struct lines *l, pid_t pid, int status) {
    char reason[128];

    for (struct line *line = l->v; line < l->v + l->consoles.len; line++) {
        if (!respawn_reaped(&line->child, pid, status))
            continue;
        log_notice("that was the login on %s", line->console->tty);
        (void)console_look(&l->consoles, line->console);
        if (line->console->state == CONSOLE_THERE)
            return;
        (void)respawn_stop(&line->child, 0);
        log_notice("no login on %s any more: %s", line->console->tty,
                   console_reason(line->console, reason, sizeof(reason)));
        look_at_missing(l); /* sets the timer for another look */
        return;
    }
}

/*
 * The hang-up takes the line from everybody, PID 1 too. Whoever says something on it afterwards may be the only one who
 * has it open, and a machine that goes down would wait for the kernel's 30 s when that one closes a line that is
 * blocked.
 */
static void limit_drain(int fd) {
    struct serial_struct port = {0};

    if (ioctl(fd, IOCTL_REQUEST(TIOCGSERIAL), &port) < 0 || port.closing_wait == ASYNC_CLOSING_WAIT_NONE)
        return; /* not a serial port, or it waits for nothing */
    port.closing_wait = DRAIN_CS;
    if (ioctl(fd, IOCTL_REQUEST(TIOCSSERIAL), &port) < 0)
        log_warning("could not limit how long closing a console takes: %s", strerror(errno));
}

/* TIOCVHANGUP ends whatever session the terminal has: its shell gets SIGHUP, and nobody waits for output to drain. */
static void hang_up(const struct lines *l, struct line *line) {
    AUTO_CLOSE int fd = console_open_tty(&l->consoles, line->console);
    if (fd >= 0) {
        limit_drain(fd);
        (void)ioctl(fd, TIOCVHANGUP); /* without CAP_SYS_ADMIN only the getty's own process is told, below */
    }
    (void)respawn_stop(&line->child, SIGHUP);
}

void lines_hang_up(struct lines *l) {
    if (!l->loop)
        return; /* never started */
    loop_remove(l->loop, &l->settle);
    loop_remove(l->loop, &l->again);
    watch_stop(&l->watch, l->loop);
    for (struct line *line = l->v; line < l->v + l->consoles.len; line++)
        if (line->child.wanted)
            hang_up(l, line);
}
