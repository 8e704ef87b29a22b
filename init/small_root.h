/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A root that stays compressed: the initrd holds /root.img, a squashfs of the appliance, the modules that it takes to
 * mount it (/modules: their paths, a line each, in the order of loading), and this program. `keelson build --root
 * squashfs` makes such an initrd; it looks for SMALL_ROOT_MARK in an image's init, to know that it can do this.
 */
#ifndef INIT_SMALL_ROOT_H
#define INIT_SMALL_ROOT_H

#define SMALL_ROOT_IMAGE "/root.img"
#define SMALL_ROOT_MODULES "/modules"
#define SMALL_ROOT_MARK "keelson small root 1"

/*
 * Without a /root.img does nothing. Else mounts it read-only through a loop device, makes it the root, and executes its
 * /sbin/init. Returns only if that fails, after saying why on the console.
 */
void small_root_enter(void);

#endif
