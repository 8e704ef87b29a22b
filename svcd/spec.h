/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SVCD_SPEC_H
#define SVCD_SPEC_H

#include "lib/err.h"

/* BUNDLE/config.json as containerd gets it: root.path absolute, since the shim runs it from a bundle of its own. */
int spec_load(const char *bundle, char **out, struct err *e);

#endif
