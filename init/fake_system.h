/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The system below PID 1, made up for tests: linked with -Wl,--wrap for every call of FAKE_CALLS in init.mk, so that
 * the real code runs on it unchanged. Each call is written down; one of them can be made to fail. While it is off, all
 * calls are real.
 */
#ifndef INIT_FAKE_SYSTEM_H
#define INIT_FAKE_SYSTEM_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define FAKE_CALLS_MAX 2048
#define FAKE_NOTHING_FAILS SIZE_MAX

struct fake_file {
    const char *path;
    const char *text; /* NULL: a directory; its names are in `names`, with a space behind each */
    const char *names;
};

/* From now on, until fake_off(): the files there are (path NULL at the end), and which call fails, with what. */
void fake_on(const struct fake_file *files, size_t failing, int error);
/* Closes what was opened. */
void fake_off(void);

/* Every call that begins so fails from now on; until the next fake_on(). */
void fake_always_fails(const char *call, int error);

/* "mount tmpfs /run nosuid,nodev size=10%", in their order; NULL beyond the last. */
const char *fake_call(size_t i);
/* How often this call was made, from its begin on. */
unsigned fake_count(const char *call);

/* All that was printed, on every console and descriptor 2. */
const char *fake_said(void);

/* A child that spawn() has made ends, and waits for being reaped. */
void fake_end_child(pid_t pid, int status);

#endif
