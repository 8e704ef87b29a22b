/* SPDX-License-Identifier: Apache-2.0 */
#include "init/unmount.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "cmdline/cmdline.h"
#include "init/console.h"
#include "init/loops.h"
#include "init/pins.h"
#include "lib/fdutil.h"
#include "lib/log.h"

#define MOUNTS_MAX 4096
#define MOUNTS_TEXT_MAX ((size_t)4 << 20)
#define ROUNDS_MAX 8

static const char *const with_data[] = {"ext2", "ext3", "ext4", "btrfs", "xfs", "vfat", "msdos", "overlay"};
static const char *const on_network[] = {"nfs", "nfs4", "cifs"};

struct mounted {
    const char *where;
    dev_t dev;   /* 0: not looked at */
    bool data;   /* it holds some */
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

/* False: no such mount. Its path stays where the line is. */
static bool take_mount(struct mounted *m, char *line) {
    char *where, *type;
    struct stat st;

    if (!mount_parse(line, &where, &type) || !strcmp(where, "/"))
        return false;
    *m = (struct mounted){.where = where,
                          .lazy = is_one_of(type, on_network, ARRAY_SIZE(on_network)),
                          .data = is_one_of(type, with_data, ARRAY_SIZE(with_data))};
    m->wanted = m->lazy || m->data;
    if (m->data && stat(where, &st) == 0)
        m->dev = st.st_dev;
    return true;
}

/* A tmpfs on a directory of a disk keeps the disk busy. Parents come before what stands on them. */
static void want_what_is_below(struct mounted *v, size_t n) {
    for (size_t i = 0; i < n; i++)
        for (size_t k = i + 1; v[i].wanted && k < n; k++)
            v[k].wanted |= path_is_at_or_below(v[k].where, v[i].where);
}

/* In mount order. The paths are in `text`. */
static size_t read_mounts(struct mounted *v, struct buf *text) {
    struct err e = {0};
    size_t n = 0, left = 0;

    if (read_file("/proc/self/mounts", MOUNTS_TEXT_MAX, text, &e) < 0)
        log_error("%s: nothing is unmounted", e.msg);
    for (char *line, *pos = text->data; (line = next_line(&pos));)
        if (n == MOUNTS_MAX)
            left++;
        else
            n += take_mount(&v[n], line);
    if (left > 0)
        log_error("more than %d mounts: %zu are left alone", MOUNTS_MAX, left);
    want_what_is_below(v, n);
    return n;
}

/*
 * Read-only first: what is still mounted in another namespace, where we cannot unmount it, is clean on the disk then.
 */
static bool unmount_one(struct mounted *m) {
    if (m->data)
        (void)mount(NULL, m->where, NULL, MS_REMOUNT | MS_RDONLY, NULL);
    if (umount2(m->where, m->lazy ? MNT_DETACH : 0) < 0) {
        m->why = errno;
        return false;
    }
    m->wanted = false;
    return true;
}

/* Returns how much has changed. */
static size_t unmount_round(struct mounted *v, size_t n) {
    size_t done = 0;

    for (size_t i = n; i-- > 0;)
        done += v[i].wanted && unmount_one(&v[i]);
    for (size_t i = n; i-- > 0;)
        if (v[i].wanted && v[i].data)
            done += loop_devices_detach(v[i].where);
    return done;
}

static void report_busy(const struct mounted *m) {
    struct stat st;

    log_error("could not unmount %s: %s", m->where, strerror(m->why));
    if (m->why == EBUSY && stat(m->where, &st) == 0 && pins_report(m->where, st.st_dev) == 0)
        log_error("%s is kept by the kernel: no process, mount, loop device or swap is seen on it", m->where);
    if (m->data && mount(NULL, m->where, NULL, MS_REMOUNT | MS_RDONLY, NULL) < 0)
        log_error("could not make %s read-only: %s", m->where, strerror(errno));
}

/* What is gone from here may live on in another mount namespace, whose process did not end. */
static void report_elsewhere(const struct mounted *v, size_t n) {
    for (size_t i = 0; i < n; i++) {
        bool seen = !v[i].data || v[i].wanted || !v[i].dev;
        for (size_t k = 0; k < i && !seen; k++)
            seen = v[k].dev == v[i].dev;
        if (!seen)
            (void)pins_report_namespaces(v[i].where, v[i].dev);
    }
}

int unmount_main(void) {
    static struct mounted v[MOUNTS_MAX];
    AUTO_BUF struct buf text = BUF_INIT;
    struct cmdline cmdline;

    log_init("init", LOG_LEVEL_NOTICE);
    (void)cmdline_read(&cmdline, NULL);
    console_open(&cmdline);
    sync();
    size_t n = read_mounts(v, &text);
    for (int round = 0; round < ROUNDS_MAX && unmount_round(v, n) > 0; round++)
        ;
    for (size_t i = n; i-- > 0;)
        if (v[i].wanted)
            report_busy(&v[i]);
    report_elsewhere(v, n);
    if (mount(NULL, "/", NULL, MS_REMOUNT | MS_RDONLY, NULL) < 0 && errno != EINVAL)
        log_error("could not make / read-only: %s", strerror(errno));
    sync();
    return 0;
}
