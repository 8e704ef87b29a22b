/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INIT_COLDPLUG_H
#define INIT_COLDPLUG_H

#include <stdbool.h>

/*
 * Loads the modules that the devices in /sys ask for; at most 8192 kinds of devices. In a hurry, as before init.d, the
 * drivers that no container waits for are left to a later run; a run without hurry gives way to everything else.
 * Returns an exit status.
 */
int coldplug_main(bool hurry);

#endif
