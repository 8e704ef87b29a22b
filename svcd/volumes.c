/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A volume without `tmp` gets an overlay without an upper layer, and no read-only bind mount: the latter could be made
 * writable again by whoever may mount. The kernel wants two layers then; the empty mount point is the second one.
 */
#include "svcd/volumes.h"

#include <errno.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "lib/fdutil.h"
#include "lib/log.h"

#define DATA_MAX 4095 /* a page, as mount(2) takes it */

/* Overlay's own separators in a path: the comma of options, the colon between lower layers. */
static int put_path(struct buf *data, const char *key, const char *path) {
    int r = buf_puts(data, key);

    for (; *path && !r; path++)
        r = buf_printf(data, strchr(",:\\", *path) ? "\\%c" : "%c", *path);
    return r;
}

static int need_dir(const char *path, struct stat *st, struct err *e) {
    if (stat(path, st) < 0)
        return err_errno(e, -errno, "could not use %s", path);
    return S_ISDIR(st->st_mode) ? 0 : err_errno(e, -ENOTDIR, "could not use %s", path);
}

static int mount_overlay(const char *merged, unsigned long flags, const struct buf *data, struct err *e) {
    if (mount("overlay", merged, "overlay", MS_RELATIME | flags, data->data) < 0)
        return err_errno(e, -errno, "could not mount an overlay on %s", merged);
    return 0;
}

static int mount_read_only(const char *lower, const char *merged, struct err *e) {
    AUTO_BUF struct buf data = {.max = DATA_MAX};

    if (put_path(&data, "lowerdir=", lower) < 0 || put_path(&data, ":", merged) < 0)
        return err_errno(e, -ENAMETOOLONG, "could not mount an overlay on %s", merged);
    return mount_overlay(merged, MS_RDONLY, &data, e);
}

/* What an overlay's root looks like is up to its upper layer: it must look like the volume. */
static int make_upper(const char *upper, const struct stat *lower, struct err *e) {
    if (mkdir(upper, 0700) < 0 || chown(upper, lower->st_uid, lower->st_gid) < 0 ||
        chmod(upper, lower->st_mode & 07777) < 0)
        return err_errno(e, -errno, "could not create %s", upper);
    return 0;
}

static int mount_writable(const char *lower, const struct stat *lower_st, const char *merged, const char *tmp,
                          struct err *e) {
    AUTO_BUF struct buf data = {.max = DATA_MAX};
    AUTO_FREE char *upper = path_join(tmp, "upper");
    AUTO_FREE char *work = path_join(tmp, "work");

    if (!upper || !work || put_path(&data, "lowerdir=", lower) < 0 || put_path(&data, ",upperdir=", upper) < 0 ||
        put_path(&data, ",workdir=", work) < 0)
        return err_errno(e, -ENAMETOOLONG, "could not mount an overlay on %s", merged);
    if (mount("tmpfs", tmp, "tmpfs", MS_RELATIME, "mode=755") < 0)
        return err_errno(e, -errno, "could not mount a tmpfs on %s", tmp);
    int r = make_upper(upper, lower_st, e);
    if (!r)
        r = mkdir_p(work, 0755, e);
    if (!r)
        r = mount_overlay(merged, 0, &data, e);
    if (r < 0)
        (void)umount2(tmp, MNT_DETACH);
    return r;
}

static int mount_volume(const char *base, struct err *e) {
    AUTO_FREE char *lower = path_join(base, "lower");
    AUTO_FREE char *merged = path_join(base, "merged");
    AUTO_FREE char *tmp = path_join(base, "tmp");
    struct stat base_st, lower_st, merged_st, tmp_st;

    if (!lower || !merged || !tmp)
        return err_errno(e, -ENOMEM, "could not name its directories");
    int r = need_dir(base, &base_st, e);
    if (!r)
        r = need_dir(lower, &lower_st, e);
    if (!r)
        r = need_dir(merged, &merged_st, e);
    if (r < 0)
        return r;
    if (merged_st.st_dev != base_st.st_dev)
        return 0; /* another file system is mounted there: what was written must not be hidden */
    return stat(tmp, &tmp_st) < 0 ? mount_read_only(lower, merged, e)
                                  : mount_writable(lower, &lower_st, merged, tmp, e);
}

unsigned volumes_mount(const char *dir) {
    AUTO_NAMES struct names names = {0};
    struct err e = {0};
    unsigned failures = 0;

    int r = list_dir(dir, &names, &e);
    if (r == -ENOENT)
        return 0;
    if (r < 0) {
        log_error("%s", e.msg);
        return 1;
    }
    for (size_t i = 0; i < names.len; i++) {
        AUTO_FREE char *base = path_join(dir, names.v[i]);
        r = base ? mount_volume(base, &e) : err_errno(&e, -ENOMEM, "could not name its directory");
        if (r < 0) {
            failures++;
            log_error("volume %s: %s", names.v[i], e.msg);
        }
    }
    return failures;
}
