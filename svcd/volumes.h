/* SPDX-License-Identifier: Apache-2.0 */
/* Volumes: DIR/NAME with `lower`, `merged` and, if it may be written to, `tmp`. */
#ifndef SVCD_VOLUMES_H
#define SVCD_VOLUMES_H

#define VOLUMES_DIR "/containers/volumes"

/*
 * Mounts an overlay of `lower` on `merged` of each, in name order: with a tmpfs on `tmp` for what is written, or, where
 * there is no `tmp`, without anything that could be written to. One that is mounted already stays as it is. A failure
 * is reported, and the next one is mounted. Returns failures; a missing DIR is none.
 */
unsigned volumes_mount(const char *dir);

#endif
