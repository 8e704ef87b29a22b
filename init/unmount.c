/* SPDX-License-Identifier: Apache-2.0 */
#include "init/unmount.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mount.h>

#include "lib/fdutil.h"
#include "lib/log.h"

#define MOUNTS_MAX 4096
#define MOUNTS_TEXT_MAX ((size_t)4 << 20)
#define ROUNDS_MAX 8

static const char *const with_data[] = {"ext2", "ext3", "ext4", "btrfs", "xfs", "vfat", "msdos", "overlay"};
static const char *const on_network[] = {"nfs", "nfs4", "cifs"};

struct mounted {
    char *where;
    bool wanted; /* to be unmounted: holds data, or stands on what does */
    bool lazy;
    int why; /* errno of the last try */
};

static bool is_one_of(const char *type, const char *const *types, size_t len) {
    for (size_t i = 0; i < len; i++)
        if (!strcmp(type, types[i]))
            return true;
    return false;
}

/* /proc/self/mounts writes white space and backslashes of a path as \ooo. */
static void unescape(char *s) {
    char *to = s;

    for (; *s; s++) {
        if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] >= '0' && s[2] <= '7' && s[3] >= '0' && s[3] <= '7') {
            *to++ = (char)((s[1] - '0') * 64 + (s[2] - '0') * 8 + (s[3] - '0'));
            s += 3;
        } else {
            *to++ = *s;
        }
    }
    *to = '\0';
}

bool mount_parse(char *line, char **where, char **type) {
    char *space = strchr(line, ' ');
    char *second = space ? strchr(space + 1, ' ') : NULL;
    char *third = second ? strchr(second + 1, ' ') : NULL;

    if (!third)
        return false;
    *second = *third = '\0';
    *where = space + 1;
    *type = second + 1;
    unescape(*where);
    return true;
}

static void take_mount(struct mounted *v, size_t *n, char *line) {
    char *where, *type;

    if (*n == MOUNTS_MAX || !mount_parse(line, &where, &type) || !strcmp(where, "/"))
        return;
    v[*n].where = strdup(where);
    v[*n].lazy = is_one_of(type, on_network, ARRAY_SIZE(on_network));
    v[*n].wanted = v[*n].lazy || is_one_of(type, with_data, ARRAY_SIZE(with_data));
    *n += v[*n].where != NULL;
}

static bool is_below(const char *path, const char *above) {
    size_t len = strlen(above);

    return !strncmp(path, above, len) && path[len] == '/';
}

/* A tmpfs on a directory of a disk keeps the disk busy. Parents come before what stands on them. */
static void want_what_is_below(struct mounted *v, size_t n) {
    for (size_t i = 0; i < n; i++)
        for (size_t k = i + 1; v[i].wanted && k < n; k++)
            v[k].wanted |= is_below(v[k].where, v[i].where);
}

/* In mount order. */
static size_t read_mounts(struct mounted *v) {
    AUTO_BUF struct buf text = BUF_INIT;
    struct err e = {0};
    size_t n = 0;

    if (read_file("/proc/self/mounts", MOUNTS_TEXT_MAX, &text, &e) < 0) {
        log_error("%s", e.msg);
        return 0;
    }
    for (char *line, *pos = text.data; (line = next_line(&pos));)
        take_mount(v, &n, line);
    want_what_is_below(v, n);
    return n;
}

static size_t unmount_round(struct mounted *v, size_t n) {
    size_t done = 0;

    while (n-- > 0) {
        if (!v[n].wanted)
            continue;
        if (umount2(v[n].where, v[n].lazy ? MNT_DETACH : 0) == 0) {
            v[n].wanted = false;
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
        if (!v[i].wanted)
            continue;
        log_error("could not unmount %s: %s", v[i].where, strerror(v[i].why));
        if (mount(NULL, v[i].where, NULL, MS_REMOUNT | MS_RDONLY, NULL) < 0)
            log_error("could not make %s read-only: %s", v[i].where, strerror(errno));
    }
    for (size_t i = 0; i < n; i++)
        free(v[i].where);
    if (mount(NULL, "/", NULL, MS_REMOUNT | MS_RDONLY, NULL) < 0 && errno != EINVAL)
        log_error("could not make / read-only: %s", strerror(errno));
    sync();
    return 0;
}
