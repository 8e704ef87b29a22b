/* SPDX-License-Identifier: Apache-2.0 */
/* Between the files that the made-up system of fake_system.h consists of. */
#ifndef INIT_FAKE_CALLS_H
#define INIT_FAKE_CALLS_H

#include <stdbool.h>

#include "lib/auto.h"

/* The linker leads NAME to WRAP(NAME), and REAL(NAME) to NAME. */
#define REAL(name) __real_##name /* NOLINT(bugprone-reserved-identifier) */
#define WRAP(name) __wrap_##name /* NOLINT(bugprone-reserved-identifier) */
#define CALL(result, name, ...)                                                                                        \
    result REAL(name)(__VA_ARGS__);                                                                                    \
    result WRAP(name)(__VA_ARGS__);                                                                                    \
    result WRAP(name)(__VA_ARGS__)

/* False: the call is real. */
bool fake_is_on(void);

/* Writes the call down; true, with errno set, if it is one that fails. */
bool fake_fails(const char *fmt, ...) PRINTF_LIKE(1, 2);

/* A descriptor that stands for `name`, and is read as `text` unless that is NULL. */
int fake_new_fd(const char *name, const char *text);
const char *fake_fd_name(int fd);

#endif
