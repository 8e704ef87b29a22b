/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/pkg/temp.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>

#include "lib/log.h"

#define WALK_FDS 16

int temp_dir_make(struct temp_dir *t, const char *parent, const char *prefix, struct err *e) {
    const char *tmpdir = getenv("TMPDIR");

    if (!parent)
        parent = tmpdir && *tmpdir ? tmpdir : "/tmp";
    int n = snprintf(t->path, sizeof(t->path), "%s/%sXXXXXX", parent, prefix);
    int r = n >= (int)sizeof(t->path) ? -ENAMETOOLONG : mkdtemp(t->path) ? 0 : -errno;
    if (r < 0) {
        *t->path = '\0';
        return err_errno(e, r, "could not create a temporary folder in %s", parent);
    }
    return 0;
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw) {
    (void)st;
    (void)flag;
    (void)ftw;
    return remove(path);
}

void temp_dir_remove(struct temp_dir *t) {
    if (!*t->path)
        return;
    if (nftw(t->path, remove_one, WALK_FDS, FTW_DEPTH | FTW_PHYS) != 0)
        log_warning("could not remove %s: %s", t->path, strerror(errno));
    *t->path = '\0';
}
