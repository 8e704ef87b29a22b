/* SPDX-License-Identifier: Apache-2.0 */
/* Volumes: an overlay over the image's files, or a read-only bind mount where nothing may be written. */
#include <errno.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "lib/fdutil.h"
#include "lib/log.h"
#include "svcd/onboot.h"

static int mount_volume(const char *dir, const char *name, struct err *e) {
    AUTO_FREE char *base = path_join(dir, name);
    AUTO_FREE char *tmp = base ? path_join(base, "tmp") : NULL;
    AUTO_FREE char *merged = base ? path_join(base, "merged") : NULL;
    AUTO_FREE char *lower = base ? path_join(base, "lower") : NULL;
    AUTO_FREE char *data = NULL;
    struct stat st;

    if (!tmp || !merged || !lower)
        return err_errno(e, -ENOMEM, "could not mount volume %s", name);
    if (stat(tmp, &st) < 0) {
        if (mount(lower, merged, NULL, MS_BIND, NULL) < 0 ||
            mount(NULL, merged, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL) < 0)
            return err_errno(e, -errno, "could not mount read-only volume %s", name);
        return 0;
    }
    if (asprintf(&data, "lowerdir=%s/lower,upperdir=%s/tmp/upper,workdir=%s/tmp/work", base, base, base) < 0) {
        data = NULL;
        return err_errno(e, -ENOMEM, "could not mount volume %s", name);
    }
    AUTO_FREE char *upper = path_join(tmp, "upper");
    AUTO_FREE char *work = path_join(tmp, "work");
    if (mount("tmpfs", tmp, "tmpfs", 0, NULL) < 0)
        return err_errno(e, -errno, "could not mount %s", tmp);
    int r = upper ? mkdir_p(upper, 0755, e) : -ENOMEM;
    if (!r)
        r = work ? mkdir_p(work, 0755, e) : -ENOMEM;
    if (!r && mount("overlay", merged, "overlay", 0, data) < 0)
        r = err_errno(e, -errno, "could not mount volume %s", name);
    return r;
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
    for (size_t i = 0; i < names.len; i++)
        if (mount_volume(dir, names.v[i], &e) < 0) {
            failures++;
            log_error("%s", e.msg);
        }
    return failures;
}
