/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INIT_UNMOUNT_H
#define INIT_UNMOUNT_H

/*
 * The last worker of a shutdown: sync, then unmounts what holds data, newest first, again until nothing changes;
 * network file systems lazily. What stays is named and made read-only. Returns an exit status.
 */
int unmount_main(void);

#endif
