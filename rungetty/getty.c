/* SPDX-License-Identifier: Apache-2.0 */
#include "rungetty/getty.h"

#include <stdio.h>
#include <string.h>

#include "lib/auto.h"

static const char *const serial[] = {"ttyS", "ttyAMA", "ttyUSB", "ttyMFD"};

static bool is_serial(const char *tty) {
    for (size_t i = 0; i < ARRAY_SIZE(serial); i++)
        if (!strncmp(tty, serial[i], strlen(serial[i])))
            return true;
    return false;
}

static bool is_virtual(const char *tty) {
    return !strncmp(tty, "tty", 3) && tty[3] >= '0' && tty[3] <= '9';
}

/* "115200n8" -> "115200"; what is no number is 115200. */
static void line_speed(const char *options, char *out, size_t len) {
    size_t digits = strspn(options, "0123456789");

    if (digits == 0 || digits >= len)
        (void)snprintf(out, len, "115200");
    else
        (void)snprintf(out, len, "%.*s", (int)digits, options);
}

void getty_plan(struct getty *g, const struct cmdline_console *console, bool insecure) {
    const char *term = "linux";
    size_t n = 0;

    *g = (struct getty){0};
    (void)snprintf(g->tty, sizeof(g->tty), "%s", console->name);
    (void)snprintf(g->speed, sizeof(g->speed), "%s", is_virtual(g->tty) ? "38400" : "115200");
    g->argv[n++] = GETTY_PROGRAM;
    if (insecure) {
        g->argv[n++] = "-a";
        g->argv[n++] = "root";
    }
    if (is_serial(g->tty)) {
        line_speed(console->options, g->speed, sizeof(g->speed));
        g->argv[n++] = "-L";
        term = "vt100";
    }
    g->argv[n++] = g->tty;
    g->argv[n++] = g->speed;
    g->argv[n++] = term;
}

bool securetty_has(const char *text, const char *tty) {
    size_t len = strlen(tty);

    while (*text) {
        size_t line = strcspn(text, "\n");
        if (line >= len && !strncmp(text, tty, len) && strspn(text + len, " \t\r") == line - len)
            return true;
        text += line + (text[line] == '\n');
    }
    return false;
}
