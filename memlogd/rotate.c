/* SPDX-License-Identifier: Apache-2.0 */
#include "memlogd/rotate.h"

#include <stdio.h>
#include <unistd.h>

#include "memlogd/compress.h"

#define COMPRESSED ".zst"

int rotate_path(const char *dir, const char *name, int number, const char *suffix, char path[PATH_MAX]) {
    int n = number < 0 ? snprintf(path, PATH_MAX, "%s/%s.log%s", dir, name, suffix)
                       : snprintf(path, PATH_MAX, "%s/%s.log.%d%s", dir, name, number, suffix);

    return n < 0 || n >= PATH_MAX ? -ENAMETOOLONG : 0;
}

static int move(const struct rotation *r, const char *name, int from, int to, const char *suffix) {
    char older[PATH_MAX], newer[PATH_MAX];

    int failed = rotate_path(r->dir, name, to, suffix, older);
    if (!failed)
        failed = rotate_path(r->dir, name, from, suffix, newer);
    if (!failed && rename(newer, older) < 0 && errno != ENOENT)
        failed = -errno;
    return failed;
}

static bool is_there(const struct rotation *r, const char *name, int number, const char *suffix) {
    char path[PATH_MAX];

    return rotate_path(r->dir, name, number, suffix, path) == 0 && access(path, F_OK) == 0;
}

static int drop(const struct rotation *r, const char *name, int number, const char *suffix) {
    char path[PATH_MAX];

    int failed = rotate_path(r->dir, name, number, suffix, path);
    return failed ? failed : unlink(path) < 0 && errno != ENOENT ? -errno : 0;
}

/* A compressed file has its name only once it is whole: what it was made of is not needed then. */
static int move_both(const struct rotation *r, const char *name, int from, int to) {
    int failed = is_there(r, name, from, COMPRESSED) ? drop(r, name, from, "") : 0;

    if (!failed)
        failed = move(r, name, from, to, COMPRESSED);
    return failed ? failed : move(r, name, from, to, "");
}

static int compress_newest(const struct rotation *r, const char *name, struct err *e) {
    char from[PATH_MAX], to[PATH_MAX];

    int failed = rotate_path(r->dir, name, 0, "", from);
    if (!failed)
        failed = rotate_path(r->dir, name, 0, COMPRESSED, to);
    if (failed)
        return err_errno(e, failed, "could not compress %s.log.0", name);
    failed = compress_file(from, to, r->sync, e);
    if (!failed && unlink(from) < 0)
        failed = err_errno(e, -errno, "could not remove %s", from);
    return failed;
}

int rotate_files(const struct rotation *r, const char *name, bool *moved, struct err *e) {
    int last = (int)r->max_files - 1;

    *moved = false;
    int failed = drop(r, name, last, "");
    if (!failed)
        failed = drop(r, name, last, COMPRESSED);
    for (int i = last; i > 0 && !failed; i--)
        failed = move_both(r, name, i - 1, i);
    if (!failed)
        failed = move(r, name, -1, 0, "");
    if (failed)
        return err_errno(e, failed, "could not rotate %s/%s.log", r->dir, name);
    *moved = true;
    return r->compress ? compress_newest(r, name, e) : 0;
}
