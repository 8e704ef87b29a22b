/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SVCD_DIRECT_H
#define SVCD_DIRECT_H

struct direct_place {
    const char *sock, *path, *ns; /* containerd's socket, the bundles' directory, containerd's namespace */
};

extern const struct direct_place direct_default;

/*
 * start, stop or restart of one service without svcd, through containerd itself, as under LinuxKit's init: the same
 * life as in svcd, walked once. Nobody watches over the service then. What runtime.json says of a namespace counts.
 * Returns an exit status.
 */
int direct_run(const char *command, const char *name, const struct direct_place *at);

#endif
