/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SVCD_ONFAIL_H
#define SVCD_ONFAIL_H

#include <stdbool.h>

#include "runtime-config/words.h"

/* Asks PID 1 for what is to happen when `name` has failed, and says so. False: nothing is to happen. */
bool onfail_act(const char *name, enum onfail onfail);

#endif
