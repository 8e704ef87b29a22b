/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INIT_INIT_H
#define INIT_INIT_H

/* argv[0] of the workers, which are this program again. */
#define WORKER_COLDPLUG "init-coldplug"
#define WORKER_HOTPLUG "init-hotplug"
#define WORKER_UNMOUNT "init-unmount" /* after the boot record's words: recorder.h */

/* Returns only in a container. */
int init_main(void);

#endif
