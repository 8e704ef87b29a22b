/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One line per message on stderr: "PROGRAM: LEVEL: message" ("PROGRAM: message" for errors and notices), in one
 * write(2) so that lines of several processes do not mix. Never blocks on a full descriptor that is non-blocking
 * (the line is dropped and counted), preserves errno, allocates nothing. Lines are cut at 1024 bytes.
 */
#ifndef LIB_LOG_H
#define LIB_LOG_H

#include <stdbool.h>

#include "lib/auto.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_NOTICE, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* `program` must outlive all calls. The default level is NOTICE and the default descriptor is 2. */
void log_init(const char *program, enum log_level max_level);
/* Whether messages of that level are shown. */
bool log_shows(enum log_level level);
void log_set_fd(int fd);
/* Whole lines go to fn instead of a descriptor; NULL: to the descriptor again. fn must not log. */
void log_set_sink(void (*fn)(const char *line, size_t len));
/*
 * What a message must not do to a terminal. By default, which is for PID 1 to be small, control characters are
 * replaced; make_text_printable() of lib/printable.h replaces as well what is no UTF-8.
 */
void log_set_printable(void (*fn)(char *text, size_t len));
unsigned long log_dropped(void);

void log_error(const char *fmt, ...) PRINTF_LIKE(1, 2);
void log_warning(const char *fmt, ...) PRINTF_LIKE(1, 2);
void log_notice(const char *fmt, ...) PRINTF_LIKE(1, 2);
void log_info(const char *fmt, ...) PRINTF_LIKE(1, 2);
void log_debug(const char *fmt, ...) PRINTF_LIKE(1, 2);

#endif
