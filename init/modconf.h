/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What was decided about modules, in modprobe.d's own words: the lines of /etc/modprobe.d/NAME.conf files and of
 * modules.softdep, and what the kernel command line says, turned into such lines.
 */
#ifndef INIT_MODCONF_H
#define INIT_MODCONF_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/buf.h"

struct modconf {
    struct buf text; /* whole lines; NUL-terminated */
};

/* A word of a line: not NUL-terminated. */
struct word {
    const char *p;
    size_t len;
};

/* Adds lines; one that ends with a backslash goes on in the next. What does not fit is said and left out. */
void modconf_add(struct modconf *c, const char *text, size_t len);
/* ROOT/etc/modprobe.d/NAME.conf, in name order; `root` is "" outside of tests. */
void modconf_add_files(struct modconf *c, const char *root);
/* From a kernel command line: modprobe.blacklist=A,B and MODULE.PARAMETER[=VALUE]. */
void modconf_add_cmdline(struct modconf *c, const char *text, size_t len);
void modconf_free(struct modconf *c);

/*
 * The next line that begins with `keyword`; *rest is what follows. *pos is NULL at first. False: no more.
 */
bool modconf_next(const struct modconf *c, const char *keyword, const char **pos, struct word *rest);
/* Takes a word off the front; false: there is none. */
bool word_next(struct word *rest, struct word *out);

/* Module names, in which - and _ are the same. */
bool module_name_is(struct word a, struct word b);

/* "blacklist NAME" or "install NAME COMMAND" is there. */
bool modconf_has(const struct modconf *c, const char *keyword, struct word module);
/* The parameters of all "options NAME ..." lines, in their order; -E2BIG if they do not fit. */
int modconf_options(const struct modconf *c, struct word module, char *out, size_t size);

#endif
