/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel command line, parsed once. Words are split as the kernel does it: on white space outside double quotes;
 * what follows `--` belongs to init and is not looked at; of a repeated key the last one counts (console= collects).
 * No allocation: the struct holds everything, with the bounds below; what does not fit is counted in `dropped`.
 */
#ifndef CMDLINE_CMDLINE_H
#define CMDLINE_CMDLINE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define CMDLINE_MAX 4096
#define CMDLINE_CONSOLES_MAX 16
#define CMDLINE_WATCHDOG_MAX 3600 /* seconds */
#define CMDLINE_RECORD_MAX 3600
#define CMDLINE_RECORD_S 30

struct cmdline_console {
    char name[32];    /* "ttyS0" */
    char options[32]; /* "115200n8" or "" */
};

struct cmdline {
    struct cmdline_console consoles[CMDLINE_CONSOLES_MAX]; /* in order; of one name, its last options; none twice */
    size_t consoles_len;
    size_t last_console; /* index of the last console= word: the kernel's /dev/console */
    bool cgroup_v1;      /* linuxkit.unified_cgroup_hierarchy=0 */
    bool runc_debug;     /* linuxkit.runc_debug=1 */
    bool runc_console;   /* linuxkit.runc_console=1 */
    bool rescue;         /* keelson.rescue=1 */
    unsigned record_s;   /* keelson.record=SECONDS; CMDLINE_RECORD_S if it is not given */
    unsigned watchdog_s; /* keelson.watchdog=SECONDS; 0: not asked for */
    unsigned dropped;
};

/* Parses len bytes. Never fails: what cannot be understood is ignored, what is too much is counted. */
void cmdline_parse(struct cmdline *c, const char *text, size_t len);

/*
 * Calls fn for each word: its key, and its value (NULL: it has no =), both unquoted. Returns how many bytes were left
 * out because they are beyond CMDLINE_MAX.
 */
typedef void cmdline_word_fn(const char *key, const char *value, void *data);
size_t cmdline_each(const char *text, size_t len, cmdline_word_fn *fn, void *data);

/* What cmdline_parse() knows, one key after another; NULL at the end. keelson.cmdline(7) has to tell of each. */
const char *cmdline_key(size_t i);

/* The bytes of /proc/cmdline (or `path`), as many as fit; no NUL is added. Returns how many, or a negative errno. */
ssize_t cmdline_read_text(const char *path, char *text, size_t size);

/* Reads /proc/cmdline (or `path`). Returns 0 or a negative errno; *c is valid (all defaults) in both cases. */
int cmdline_read(struct cmdline *c, const char *path);

#endif
