/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/log.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#define LOG_LINE_MAX 1024

static const char *log_program = "keelson";
static enum log_level log_max = LOG_LEVEL_NOTICE;
static int log_fd = STDERR_FILENO;
static void (*log_sink)(const char *line, size_t len);
static unsigned long dropped;

static const char *const level_prefix[] = {
    [LOG_LEVEL_ERROR] = "",      [LOG_LEVEL_WARNING] = "warning: ", [LOG_LEVEL_NOTICE] = "",
    [LOG_LEVEL_INFO] = "info: ", [LOG_LEVEL_DEBUG] = "debug: ",
};

void log_init(const char *program, enum log_level max_level) {
    log_program = program;
    log_max = max_level;
}

bool log_shows(enum log_level level) {
    return level <= log_max;
}

void log_set_fd(int fd) {
    log_fd = fd;
}

void log_set_sink(void (*fn)(const char *line, size_t len)) {
    log_sink = fn;
}

unsigned long log_dropped(void) {
    return dropped;
}

/* U+0080 to U+009F, which are 0xc2 and 0x80 to 0x9f, are control characters as well. */
static void replace_controls(char *text, size_t len) {
    for (unsigned char *s = (unsigned char *)text; len > 0; s++, len--)
        if (*s == 0xc2 && s[1] >= 0x80 && s[1] < 0xa0)
            s[0] = s[1] = '?';
        else if ((*s < 0x20 && *s != '\t') || *s == 0x7f)
            *s = '?';
}

static void (*make_printable)(char *text, size_t len) = replace_controls;

void log_set_printable(void (*fn)(char *text, size_t len)) {
    make_printable = fn;
}

static void write_line(const char *line, size_t len) {
    ssize_t n;

    if (log_sink) {
        log_sink(line, len);
        return;
    }
    do
        n = write(log_fd, line, len);
    while (n < 0 && errno == EINTR);
    if (n < 0 || (size_t)n < len)
        dropped++;
}

static PRINTF_LIKE(2, 0) void log_line(enum log_level level, const char *fmt, va_list ap) {
    char line[LOG_LINE_MAX];
    int saved = errno;

    if (level > log_max)
        return;
    int n = snprintf(line, sizeof(line), "%s: %s", log_program, level_prefix[level]);
    size_t used = n < 0 ? 0 : (size_t)n < sizeof(line) / 2 ? (size_t)n : sizeof(line) / 2;
    n = vsnprintf(line + used, sizeof(line) - used - 1, fmt, ap);
    if (n < 0)
        line[used] = '\0';
    size_t len = strlen(line);
    make_printable(line, len); /* a service's name, a runtime's output */
    line[len++] = '\n';
    write_line(line, len);
    errno = saved;
}

#define DEFINE_LOG(name, level)                                                                                        \
    void name(const char *fmt, ...) {                                                                                  \
        va_list ap;                                                                                                    \
        va_start(ap, fmt);                                                                                             \
        log_line(level, fmt, ap);                                                                                      \
        va_end(ap);                                                                                                    \
    }

DEFINE_LOG(log_error, LOG_LEVEL_ERROR)
DEFINE_LOG(log_warning, LOG_LEVEL_WARNING)
DEFINE_LOG(log_notice, LOG_LEVEL_NOTICE)
DEFINE_LOG(log_info, LOG_LEVEL_INFO)
DEFINE_LOG(log_debug, LOG_LEVEL_DEBUG)
