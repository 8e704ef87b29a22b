/* SPDX-License-Identifier: Apache-2.0 */
/* Loop devices keep the file system busy that their file is on. */
#ifndef INIT_LOOPS_H
#define INIT_LOOPS_H

#include <stdbool.h>
#include <stddef.h>

typedef void loop_device_fn(const char *name, const char *file, void *data);

/* Calls fn for each loop device ("loop0") whose file is at or below `where`. */
void loop_devices_below(const char *where, loop_device_fn *fn, void *data);

/* Lets go of their files, where nobody uses the device any more. Returns how many were let go. */
size_t loop_devices_detach(const char *where);

/* True if the path is `above`, or below it. */
bool path_is_at_or_below(const char *path, const char *above);

#endif
