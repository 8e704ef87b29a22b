/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the next svcd has to know of a service: whether it should run, how often it was started again, how it ended. A
 * small JSON file for each, written aside and renamed, at most MEMORY_FILE_MAX bytes.
 */
#ifndef SVCD_MEMORY_H
#define SVCD_MEMORY_H

#include "svcd/service.h"

#define MEMORY_DIR "/run/keelson/services" /* a file for each service that was asked to start */
#define MEMORY_FILE_MAX ((size_t)8192)

/* Writes DIR/NAME if what it would say is not what it said last. */
void memory_keep(const char *dir, struct service *s);

/* The same, before svcd takes it down to end itself: that it is gone then is no failure, and it comes back as it was.
 */
void memory_keep_for_return(const char *dir, struct service *s);

/*
 * Takes over what is in DIR/NAME, and is then where that left off: down, failed, or to be looked for (LIFE_DETACHED
 * until containerd answers). False: there is no such file, or it makes no sense, which is said.
 */
bool memory_take_over(const char *dir, struct service *s);

#endif
