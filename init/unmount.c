/* SPDX-License-Identifier: Apache-2.0 */
#include "init/unmount.h"

#include <errno.h>
#include <mntent.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mount.h>

#include "lib/auto.h"
#include "lib/log.h"

#define MOUNTS_MAX 4096
#define ROUNDS_MAX 8

static const char *const with_data[] = {"ext2", "ext3", "ext4", "btrfs", "xfs", "vfat", "msdos", "overlay"};
static const char *const on_network[] = {"nfs", "nfs4", "cifs"};

struct mounted {
    char *where;
    bool lazy;
    int why; /* errno of the last try */
};

static bool is_one_of(const char *type, const char *const *types, size_t len) {
    for (size_t i = 0; i < len; i++)
        if (!strcmp(type, types[i]))
            return true;
    return false;
}

/* In mount order. */
static size_t read_mounts(struct mounted *v) {
    size_t n = 0;
    FILE *f = setmntent("/proc/self/mounts", "re");

    if (!f)
        return 0;
    for (const struct mntent *m; n < MOUNTS_MAX && (m = getmntent(f));) {
        bool lazy = is_one_of(m->mnt_type, on_network, ARRAY_SIZE(on_network));
        if ((!lazy && !is_one_of(m->mnt_type, with_data, ARRAY_SIZE(with_data))) || !strcmp(m->mnt_dir, "/"))
            continue;
        v[n].where = strdup(m->mnt_dir);
        v[n].lazy = lazy;
        n += v[n].where != NULL;
    }
    (void)endmntent(f);
    return n;
}

static size_t unmount_round(struct mounted *v, size_t n) {
    size_t done = 0;

    while (n-- > 0) {
        if (!v[n].where)
            continue;
        if (umount2(v[n].where, v[n].lazy ? MNT_DETACH : 0) == 0) {
            free(v[n].where);
            v[n].where = NULL;
            done++;
        } else {
            v[n].why = errno;
        }
    }
    return done;
}

int unmount_main(void) {
    AUTO_FREE struct mounted *v = calloc(MOUNTS_MAX, sizeof(*v));

    log_init("init", LOG_LEVEL_NOTICE);
    sync();
    size_t n = v ? read_mounts(v) : 0;
    for (int round = 0; round < ROUNDS_MAX && unmount_round(v, n) > 0; round++)
        ;
    for (size_t i = n; i-- > 0;) {
        if (!v[i].where)
            continue;
        log_error("could not unmount %s: %s", v[i].where, strerror(v[i].why));
        if (mount(NULL, v[i].where, NULL, MS_REMOUNT | MS_RDONLY, NULL) < 0)
            log_error("could not make %s read-only: %s", v[i].where, strerror(errno));
        free(v[i].where);
    }
    if (mount(NULL, "/", NULL, MS_REMOUNT | MS_RDONLY, NULL) < 0 && errno != EINVAL)
        log_error("could not make / read-only: %s", strerror(errno));
    sync();
    return 0;
}
