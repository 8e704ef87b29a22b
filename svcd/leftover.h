/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an earlier life of a service has left below /run/containerd, while containerd knows no task of that name any
 * more: the runtime's record of the container, whose processes may live; and the task's folder, which is in the way of
 * the next one. containerd has five seconds to clean up behind a shim that was killed, and no more than that; nor can
 * it remove anything while /run is full.
 */
#ifndef SVCD_LEFTOVER_H
#define SVCD_LEFTOVER_H

#include <stdbool.h>

#include "lib/err.h"

struct leftover_place {
    const char *tasks, *containers; /* directories: containerd's of tasks, the runtime's of containers */
    const char *runc;
    unsigned patience_ms;
};

extern const struct leftover_place leftover_default;

bool leftover_is_there(const struct leftover_place *at, const char *ns, const char *name);

/*
 * Ends what runs of it, and removes it. Somebody else may be about to remove the folder, and would then remove that of
 * the next task: unless its shim was killed, it has patience_ms to go by itself. A shim that lives on then is one that
 * nobody will end: containerd denies a task whose container somebody has deleted, and holds it all the same. It is
 * killed, and the folder has that time once more. Blocks.
 */
int leftover_remove(const struct leftover_place *at, const char *ns, const char *name, struct err *e);

/*
 * containerd cannot delete a task whose folder is gone, and holds it as long as its shim lives. True: it was that, and
 * the shim is killed.
 */
bool leftover_free(const struct leftover_place *at, const char *ns, const char *name);

#endif
