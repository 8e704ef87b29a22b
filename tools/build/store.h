/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Parts of initrds that were made before: CACHE/segments/HEX, where HEX is the SHA-256 of the part's key. At most
 * STORE_MIB (KEELSON_SEGMENTS_MIB in the environment): what was not used for longest goes, when a build ends. Any
 * number of builds may share it, and be killed at any moment: a file is written under another name, which is locked,
 * and then renamed; what a dead build has left is removed by the next one; a file that is open stays readable when it
 * is removed. A cache that cannot be written to is replaced by a temporary folder.
 */
#ifndef TOOLS_BUILD_STORE_H
#define TOOLS_BUILD_STORE_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "lib/temp.h"

#define STORE_FOLDER "segments"
#define STORE_MIB 2048
#define STORE_NAME_LEN 64

struct store {
    char *dir; /* NULL: not open */
    uint64_t max;
    struct temp_dir temporary;
};

/* anew: a folder of its own, with nothing in it. */
int store_open(struct store *s, const char *cache_dir, bool anew, struct err *e);
/* Makes room, and closes. */
void store_close(struct store *s);
#define AUTO_STORE AUTO(store_close)

/* The name of what has that key; name has STORE_NAME_LEN + 1 bytes. */
int store_name(const char *key, char *name, struct err *e);

/* A descriptor of the file; it now counts as used. -ENOENT; what is no file is told. */
int store_find(const struct store *s, const char *name);

/*
 * A new file, open for reading and writing; *path, malloc'd, is its name until store_keep(). What is not kept is for
 * temp_file_remove(), and goes at a signal.
 */
int store_begin(const struct store *s, char **path, struct err *e);
/* Gives it its name; it may have been there already. */
int store_keep(const struct store *s, const char *path, const char *name, struct err *e);

/* Removes what is beyond max bytes, and what dead builds have left; says what went. No folder: nothing to do. */
int store_trim(const char *dir, uint64_t max, uint64_t *freed, size_t *removed, struct err *e);

#endif
