/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INIT_COLDPLUG_H
#define INIT_COLDPLUG_H

/* Loads the modules that the devices in /sys ask for; at most 8192 kinds of devices. Returns an exit status. */
int coldplug_main(void);

#endif
