/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kernel modules without modprobe: modules.alias says which module a device wants, modules.dep what it needs first
 * (both from depmod(8)), finit_module(2) loads. Used by the cold-plug worker and, as /sbin/modprobe, by the kernel.
 */
#ifndef INIT_MODULES_H
#define INIT_MODULES_H

#include "lib/buf.h"
#include "lib/err.h"

struct modules {
    char dir[128];        /* /lib/modules/RELEASE */
    struct buf aliases;   /* modules.alias, NUL-terminated */
    struct buf deps;      /* modules.dep */
    struct buf blacklist; /* names, a line each: loaded by their name only, never for a device */
};

/* -ENOENT without a message: the image has no modules for this kernel. `root` is "" outside of tests. */
int modules_open(struct modules *m, const char *root, struct err *e);
void modules_close(struct modules *m);

/* Adds names separated by commas or white space. */
void modules_blacklist(struct modules *m, const char *names);
/* Adds the "blacklist NAME" lines of ROOT/etc/modprobe.d/NAME.conf files. */
void modules_blacklist_files(struct modules *m, const char *root);

typedef int module_load_fn(const char *path, void *data);

/* The real loader: finit_module; a module that is there already is fine. */
int module_load(const char *path, void *data);

/*
 * Loads what the name or alias stands for, dependencies first, through `load`. Returns how many modules matched (0 is
 * no error: many devices want none), or the first negative errno of a load with *e set; the others are tried all the
 * same.
 */
int modules_load(struct modules *m, const char *name, module_load_fn *load, void *data, struct err *e);

/* /sbin/modprobe [-q] [--] NAME...: exit status. */
int modprobe_main(int argc, char **argv);

#endif
