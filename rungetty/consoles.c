/* SPDX-License-Identifier: Apache-2.0 */
#include "rungetty/consoles.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/serial.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "lib/auto.h"
#include "lib/request.h"

static void take_name(struct console *out, const char *asked) {
    bool numbered = strpbrk(asked, "0123456789") || !strcmp(asked, "console") || !strcmp(asked, "ttynull");
    bool bare_number = *asked >= '0' && *asked <= '9';

    (void)snprintf(out->tty, sizeof(out->tty), "%s%s%s", bare_number ? "ttyS" : "", asked, numbered ? "" : "0");
}

void consoles_init(struct consoles *c, const char *dev, const struct cmdline *cmdline) {
    *c = (struct consoles){.dev = dev};
    for (size_t i = 0; i < cmdline->consoles_len; i++) {
        struct console *console = &c->v[c->len++];
        take_name(console, cmdline->consoles[i].name);
        (void)snprintf(console->options, sizeof(console->options), "%s", cmdline->consoles[i].options);
    }
}

static void device_path(const struct consoles *c, const struct console *console, char *out, size_t len) {
    (void)snprintf(out, len, "%s/%s", c->dev, console->tty);
}

int console_open_tty(const struct consoles *c, const struct console *console) {
    char path[256];

    device_path(c, console, path, sizeof(path));
    int fd = open(path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

/* A driver for serial ports makes devices for all that it could have; those it has not found are of unknown type. */
static bool is_dead_port(const struct console *console, int fd) {
    struct serial_struct port = {0};

    return !strncmp(console->tty, "ttyS", 4) && ioctl(fd, TIOCGSERIAL, &port) == 0 && port.type == PORT_UNKNOWN;
}

static enum console_state of_error(struct console *console, int error) {
    console->error = error;
    switch (error) {
    case -ENOENT:
    case -ENXIO: /* a driver is there, but nothing behind this number */
    case -ENODEV:
        return CONSOLE_ABSENT;
    case -EIO:
        return CONSOLE_DEAD;
    default:
        return CONSOLE_NO_ACCESS;
    }
}

static enum console_state look(const struct consoles *c, struct console *console) {
    char path[256];
    struct stat st;
    unsigned terminal;

    if (strchr(console->tty, '/') || console->tty[0] == '-' || console->tty[0] == '.')
        return CONSOLE_NO_NAME;
    device_path(c, console, path, sizeof(path));
    if (stat(path, &st) < 0)
        return of_error(console, -errno);
    if (!S_ISCHR(st.st_mode))
        return CONSOLE_NO_CHAR;
    AUTO_CLOSE int fd = console_open_tty(c, console);
    if (fd < 0)
        return of_error(console, fd);
    if (is_dead_port(console, fd))
        return CONSOLE_DEAD;
    if (!isatty(fd))
        return errno == EIO ? CONSOLE_DEAD : CONSOLE_NO_TTY;
    /* /dev/console and /dev/tty0 are names for another terminal, which only the open descriptor tells. */
    bool told = ioctl(fd, IOCTL_REQUEST(TIOCGDEV), &terminal) == 0;
    console->terminal = told ? (dev_t)terminal : st.st_rdev;
    return CONSOLE_THERE;
}

static const struct console *twin_of(const struct consoles *c, const struct console *console) {
    for (const struct console *other = c->v; other < c->v + c->len; other++)
        if (other != console && other->state == CONSOLE_THERE && other->terminal == console->terminal)
            return other;
    return NULL;
}

bool console_look(struct consoles *c, struct console *console) {
    enum console_state before = console->state;

    if (before == CONSOLE_TWIN && console->twin->state == CONSOLE_THERE)
        return false;
    console->state = look(c, console);
    console->twin = console->state == CONSOLE_THERE ? twin_of(c, console) : NULL;
    if (console->twin)
        console->state = CONSOLE_TWIN;
    return console->state != before;
}

bool console_may_come(const struct console *console) {
    return console->state == CONSOLE_ABSENT || console->state == CONSOLE_DEAD || console->state == CONSOLE_TWIN ||
           console->state == CONSOLE_NO_ACCESS;
}

const char *console_reason(const struct console *console, char *buf, size_t len) {
    static const char *const reasons[] = {
        [CONSOLE_UNSEEN] = "it was not looked at yet",      [CONSOLE_THERE] = "it is there",
        [CONSOLE_ABSENT] = "there is no such device (yet)", [CONSOLE_DEAD] = "it is a serial port without hardware",
        [CONSOLE_NO_CHAR] = "it is not a character device", [CONSOLE_NO_TTY] = "it is not a terminal",
        [CONSOLE_NO_NAME] = "that is not a name in /dev",
    };

    if (console->state == CONSOLE_TWIN)
        (void)snprintf(buf, len, "it is the same terminal as %s", console->twin->tty);
    else if (console->state == CONSOLE_NO_ACCESS)
        (void)snprintf(buf, len, "it cannot be opened: %s", strerror(-console->error));
    else
        (void)snprintf(buf, len, "%s", reasons[console->state]);
    return buf;
}
