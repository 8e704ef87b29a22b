/* SPDX-License-Identifier: Apache-2.0 */
#include "rungetty/getty.h"

#include <stdio.h>
#include <string.h>

#include "lib/auto.h"

#define SPEED_DEFAULT "115200"
#define SPEED_VIRTUAL "38400"

static const char *const serial[] = {"ttyS", "ttyAMA", "ttyUSB", "ttyMFD"};
static const char *const speeds[] = {
    "50",     "75",     "110",     "134",     "150",     "200",     "300",     "600",     "1200",    "1800",
    "2400",   "4800",   "9600",    "19200",   "38400",   "57600",   "115200",  "230400",  "460800",  "500000",
    "576000", "921600", "1000000", "1152000", "1500000", "2000000", "2500000", "3000000", "3500000", "4000000"};

static bool is_serial(const char *tty) {
    for (size_t i = 0; i < ARRAY_SIZE(serial); i++)
        if (!strncmp(tty, serial[i], strlen(serial[i])))
            return true;
    return false;
}

static bool is_virtual(const char *tty) {
    return !strncmp(tty, "tty", 3) && tty[3] >= '0' && tty[3] <= '9';
}

static bool knows_speed(const char *speed) {
    for (size_t i = 0; i < ARRAY_SIZE(speeds); i++)
        if (!strcmp(speed, speeds[i]))
            return true;
    return false;
}

/* "115200n8r" -> "115200"; what agetty does not take for a speed is 115200. */
static void take_speed(struct getty *g, const char *options) {
    size_t digits = strspn(options, "0123456789");

    if (digits < sizeof(g->speed))
        (void)snprintf(g->speed, sizeof(g->speed), "%.*s", (int)digits, options);
    if (!knows_speed(g->speed))
        (void)snprintf(g->speed, sizeof(g->speed), SPEED_DEFAULT);
}

/* What follows the speed in the kernel's "BBBBPNF": parity (n, o, e), bits (7, 8), flow control (r). */
static size_t put_line_mode(struct getty *g, size_t n, const char *options) {
    const char *mode = options + strspn(options, "0123456789");

    g->argv[n++] = "-L";
    if (*mode == 'o' || *mode == 'e' || (*mode && mode[1] == '7'))
        g->argv[n++] = "-c";
    if (*mode && mode[1] && mode[2] == 'r')
        g->argv[n++] = "-h";
    return n;
}

/* agetty reads a backslash and digits as a byte in octal. What is not printable has no place on a console. */
static void put_notice(struct getty *g, const char *text) {
    size_t used = 0;

    for (size_t i = 0; i < GETTY_NOTICE_MAX && text[i] && used + 9 <= sizeof(g->notice); i++) {
        unsigned char c = (unsigned char)text[i];
        if (c == '\n')
            used += (size_t)snprintf(g->notice + used, sizeof(g->notice) - used, "\\015\\012");
        else if (c >= ' ' && c < 0x7f && c != '\\')
            g->notice[used++] = (char)c;
        else
            g->notice[used++] = '?';
    }
    g->notice[used] = '\0';
}

void getty_plan(struct getty *g, const char *tty, const char *options, bool insecure, const char *notice) {
    const char *term = "linux";
    size_t n = 0;

    *g = (struct getty){0};
    if (is_virtual(tty))
        (void)snprintf(g->speed, sizeof(g->speed), SPEED_VIRTUAL);
    else
        take_speed(g, options);
    put_notice(g, notice);
    g->argv[n++] = GETTY_PROGRAM;
    if (insecure) {
        g->argv[n++] = "-a";
        g->argv[n++] = "root";
    }
    if (is_serial(tty)) {
        n = put_line_mode(g, n, options);
        term = "vt100";
    }
    if (*g->notice) {
        g->argv[n++] = "-I";
        g->argv[n++] = g->notice;
    }
    g->argv[n++] = tty;
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
