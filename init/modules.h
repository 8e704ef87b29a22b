/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kernel modules without modprobe: modules.alias says which module a device wants, modules.dep what it needs first,
 * modules.softdep what it had better have (all from depmod(8)); finit_module(2) loads. What modprobe.d and the kernel
 * command line say counts: alias, blacklist, options, softdep. A module with an install line is left alone: no program
 * is run for it here. Used by the cold-plug worker and, as /sbin/modprobe, by the kernel.
 */
#ifndef INIT_MODULES_H
#define INIT_MODULES_H

#include "init/modconf.h"
#include "lib/buf.h"
#include "lib/err.h"

#define MODULE_OPTIONS_MAX 2048 /* bytes of parameters of one module; with more it is not loaded */

struct modules {
    char dir[128];      /* /lib/modules/RELEASE */
    struct buf aliases; /* modules.alias, NUL-terminated */
    struct buf deps;    /* modules.dep */
    struct modconf conf;
};

/*
 * Reads the lists and ROOT/etc/modprobe.d. -ENOENT without a message: the image has no modules for this kernel. `root`
 * is "" outside of tests.
 */
int modules_open(struct modules *m, const char *root, struct err *e);
void modules_close(struct modules *m);

typedef int module_load_fn(const char *path, const char *options, void *data);

/*
 * The real loader: finit_module; a module that is there already is fine. One that another process loads is waited for,
 * at most 5 s (-EBUSY): a driver that hangs holds up the one who loads it, and nobody else.
 */
int module_load(const char *path, const char *options, void *data);

/*
 * Loads what the name or alias stands for, what it needs first, through `load`. Returns how many modules matched (0 is
 * no error: many devices want none; one that is built into the kernel counts), or the first negative errno of a load
 * with *e set; the others are tried all the same.
 */
int modules_load(struct modules *m, const char *name, module_load_fn *load, void *data, struct err *e);

/* /sbin/modprobe [-q] [--] NAME...: exit status. */
int modprobe_main(int argc, char **argv);

#endif
