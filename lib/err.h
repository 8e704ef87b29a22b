/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One way to report errors. A function that can fail for a reason worth telling takes a caller-owned
 * `struct err *` as its last parameter and returns 0 or a negative errno; on failure the struct holds one line
 * "could not VERB OBJECT: why". Callers add context on the way up with err_wrap(). Nothing is allocated, so an
 * error can be reported when memory is gone. A NULL err is allowed everywhere: the code alone is returned then.
 */
#ifndef LIB_ERR_H
#define LIB_ERR_H

#include "lib/auto.h"

#define ERR_MSG_MAX 768

struct err {
    int code; /* 0, or a negative errno */
    char msg[ERR_MSG_MAX];
};

/* Sets the message and returns code (which must be negative). A longer message is cut off with "...". */
int err_set(struct err *e, int code, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* Like err_set(), with ": " and strerror(-code) added. */
int err_errno(struct err *e, int code, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* Puts "CONTEXT: " before the message that is there; returns e->code (or `code` if e is NULL). */
int err_wrap(struct err *e, int code, const char *fmt, ...) PRINTF_LIKE(3, 4);

#endif
