/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SVCD_SPEC_H
#define SVCD_SPEC_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "lib/err.h"

/* BUNDLE/config.json as it is; *out is a new reference. */
int spec_read(const char *bundle, json_t **out, struct err *e);

/* It gives its container a new namespace of that type ("mount"), and not somebody else's. */
bool spec_has_own(const json_t *spec, const char *type);

/* BUNDLE/config.json as containerd gets it: root.path absolute, since the shim runs it from a bundle of its own. */
int spec_load(const char *bundle, char **out, struct err *e);

/* 0: config.json can be read, and the root that it names is a directory. */
int spec_check(const char *bundle, struct err *e);

/* The process of BUNDLE/config.json, with another command and no terminal: what is to run beside it. */
int spec_process(const char *bundle, const char *const *args, size_t args_len, char **out, struct err *e);

/*
 * Its config.json gives it a new pid namespace: SIGKILL to the first process ends all of it. False, too, if that cannot
 * be read.
 */
bool spec_has_own_pids(const char *bundle);

/* Writes what spec_load() gives for the bundle PATH/NAME to a file, indented for people. */
int spec_dump(const char *path, const char *name, const char *file, struct err *e);

#endif
