/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scope-bound cleanup. Declare with an initial value (NULL, -1) and the resource is released when the
 * scope ends; steal_ptr()/steal_fd() hand ownership out. Every type with its own free function puts its
 * AUTO_ macro in its own header, built with DEFINE_AUTO.
 */
#ifndef LIB_AUTO_H
#define LIB_AUTO_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define AUTO(fn) __attribute__((cleanup(fn)))

/* Defines fn##_auto(), which frees *p with fn() unless it is NULL. */
#define DEFINE_AUTO(type, fn)                                                                                          \
    static inline void fn##_auto(type *p) {                                                                            \
        if (*p)                                                                                                        \
            fn(*p);                                                                                                    \
    }

static inline void auto_free_impl(void *p) {
    free(*(void **)p);
}

static inline void auto_close_impl(const int *fd) {
    if (*fd >= 0)
        (void)close(*fd);
}

static inline void auto_fclose_impl(FILE **f) {
    if (*f)
        (void)fclose(*f);
}

static inline void auto_closedir_impl(DIR **d) {
    if (*d)
        (void)closedir(*d);
}

#define AUTO_FREE AUTO(auto_free_impl)
#define AUTO_CLOSE AUTO(auto_close_impl)
#define AUTO_FCLOSE AUTO(auto_fclose_impl)
#define AUTO_CLOSEDIR AUTO(auto_closedir_impl)

#define steal_ptr(p)                                                                                                   \
    __extension__({                                                                                                    \
        __auto_type stolen_ = *(p);                                                                                    \
        *(p) = NULL;                                                                                                   \
        stolen_;                                                                                                       \
    })

static inline int steal_fd(int *fd) {
    int stolen = *fd;
    *fd = -1;
    return stolen;
}

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))
#define WARN_UNUSED __attribute__((warn_unused_result))

#endif
