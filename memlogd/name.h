/* SPDX-License-Identifier: Apache-2.0 */
/* Names of sources as they may be shown: on terminals, in file names, and never mistaken for memlogd itself. */
#ifndef MEMLOGD_NAME_H
#define MEMLOGD_NAME_H

#include <stdbool.h>
#include <stddef.h>

#include "memlogd/ring.h"

#define NAME_OWN "memlogd" /* of what memlogd says itself */

/* Who says so: root, with a descriptor, or anybody, with a syslog message. */
enum name_from { NAME_FROM_LOG_SOCKET, NAME_FROM_SYSLOG };

/*
 * Makes a source's name of what it says it is; returns its length. Control characters (C0, DEL, C1) become ?, what is
 * longer than RING_SOURCE_MAX is cut off. A name that is memlogd's gets "source." in front, or "syslog."; over syslog
 * the names that logwrite skips do, too.
 */
size_t name_make(char to[RING_SOURCE_MAX], enum name_from from, const char *name, size_t len);

/* Is that logwrite's own output? It does not write that to files. */
bool name_is_logwrite(const char *name, size_t len);

#endif
