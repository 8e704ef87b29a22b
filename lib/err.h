/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One way to report errors. A function that can fail for a reason worth telling takes a caller-owned
 * `struct err *` as its last parameter and returns 0 or a negative errno; on failure the struct holds one line
 * "could not VERB OBJECT: why". Callers add context on the way up with err_wrap(). Nothing is allocated, so an
 * error can be reported when memory is gone. A NULL err is allowed everywhere: the code alone is returned then.
 */
#ifndef LIB_ERR_H
#define LIB_ERR_H

#include <errno.h>

#include <stdbool.h>

#include "lib/auto.h"

#define ERR_MSG_MAX 768

struct err {
    int code;    /* 0, or a negative errno */
    bool sealed; /* err_wrap() adds nothing */
    char msg[ERR_MSG_MAX];
};

/* An error is an error, even if its code was not negative by mistake; what checks code statically learns it too. */
static inline int err_negative(int code) {
    return code < 0 ? code : -EIO;
}

/* Sets the message and returns code (which must be negative). A longer message is cut off with "...". */
#define err_set(...) err_negative(err_set_raw(__VA_ARGS__))
int err_set_raw(struct err *e, int code, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* Like err_set(), with ": " and strerror(-code) added. */
#define err_errno(...) err_negative(err_errno_raw(__VA_ARGS__))
int err_errno_raw(struct err *e, int code, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* Puts "CONTEXT: " before the message that is there; returns e->code (or `code` if e is NULL). */
#define err_wrap(...) err_negative(err_wrap_raw(__VA_ARGS__))
int err_wrap_raw(struct err *e, int code, const char *fmt, ...) PRINTF_LIKE(3, 4);

/*
 * The message is whole: what those on the way up were about has no part in it, such as what was being read when
 * something could not be written. Returns code.
 */
int err_seal(struct err *e, int code);

#endif
