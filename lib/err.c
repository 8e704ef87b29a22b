/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/err.h"

#include <stdarg.h>
#include <string.h>

static void mark_if_cut(struct err *e, int written) {
    if (written >= (int)sizeof(e->msg))
        memcpy(e->msg + sizeof(e->msg) - 4, "...", 4);
}

static PRINTF_LIKE(3, 0) int format(struct err *e, int code, const char *fmt, va_list args) {
    e->code = code;
    e->sealed = false;
    int n = vsnprintf(e->msg, sizeof(e->msg), fmt, args);
    mark_if_cut(e, n);
    return n;
}

int err_set_raw(struct err *e, int code, const char *fmt, ...) {
    if (!e)
        return code;
    va_list args;
    va_start(args, fmt);
    (void)format(e, code, fmt, args);
    va_end(args);
    return code;
}

static void append(struct err *e, size_t at, const char *sep, const char *text) {
    if (at >= sizeof(e->msg))
        return;
    int n = snprintf(e->msg + at, sizeof(e->msg) - at, "%s%s", sep, text);
    mark_if_cut(e, (int)at + n);
}

/* musl has no text for what a file system says of itself when its disk is damaged. */
static const char *reason(int code) {
    return code == EUCLEAN ? "Structure needs cleaning" : strerror(code);
}

int err_errno_raw(struct err *e, int code, const char *fmt, ...) {
    if (!e)
        return code;
    va_list args;
    va_start(args, fmt);
    int n = format(e, code, fmt, args);
    va_end(args);
    if (n >= 0)
        append(e, (size_t)n, ": ", reason(-code));
    return code;
}

int err_wrap_raw(struct err *e, int code, const char *fmt, ...) {
    if (!e)
        return code;
    if (e->sealed)
        return e->code;
    char inner[ERR_MSG_MAX];
    memcpy(inner, e->msg, sizeof(inner));
    int inner_code = e->code;
    va_list args;
    va_start(args, fmt);
    int n = format(e, inner_code, fmt, args);
    va_end(args);
    if (n >= 0)
        append(e, (size_t)n, ": ", inner);
    return e->code;
}

int err_seal(struct err *e, int code) {
    if (e)
        e->sealed = true;
    return code;
}
