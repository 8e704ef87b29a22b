/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cold-plug worker: a child of PID 1, so that a driver that hangs holds up nobody but itself. Walks /sys/devices
 * for modalias files and loads what they ask for, until a round finds nothing new: a bus driver brings new devices.
 */
#include "init/coldplug.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "cmdline/cmdline.h"
#include "init/modules.h"
#include "lib/fdutil.h"
#include "lib/log.h"

#define ROUNDS_MAX 8
#define ALIASES_MAX 8192
#define DEPTH_MAX 24
#define ALIAS_LEN_MAX 256

struct seen {
    char **v; /* sorted */
    size_t len, cap;
    size_t added; /* in this round */
};

/* Where it belongs; true if it is there. */
static bool find_alias(const struct seen *s, const char *alias, size_t *at) {
    size_t low = 0, high = s->len;

    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = strcmp(s->v[middle], alias);
        if (order == 0)
            return true;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *at = low;
    return false;
}

static bool add_alias(struct seen *s, const char *alias) {
    size_t at;

    if (find_alias(s, alias, &at) || s->len == ALIASES_MAX)
        return false;
    if (s->len == s->cap) {
        size_t cap = s->cap ? 2 * s->cap : 128;
        char **grown = reallocarray(s->v, cap, sizeof(*grown));
        if (!grown)
            return false;
        s->v = grown;
        s->cap = cap;
    }
    char *copy = strdup(alias);
    if (!copy)
        return false;
    memmove(s->v + at + 1, s->v + at, (s->len - at) * sizeof(*s->v));
    s->v[at] = copy;
    s->len++;
    return true;
}

static void want(struct seen *seen, struct modules *m, const char *alias) {
    struct err e = {0};

    if (!*alias || !add_alias(seen, alias))
        return;
    seen->added++;
    int r = modules_load(m, alias, module_load, NULL, &e);
    if (r < 0 && r != -ENODEV) /* a driver that finds no hardware to drive is none of our business */
        log_warning("%s", e.msg);
}

static void read_alias(int dirfd, struct seen *seen, struct modules *m) {
    char alias[ALIAS_LEN_MAX];

    AUTO_CLOSE int fd = openat(dirfd, "modalias", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    ssize_t n = read_full(fd, alias, sizeof(alias) - 1);
    if (n <= 0)
        return;
    alias[n] = '\0';
    alias[strcspn(alias, "\n")] = '\0';
    want(seen, m, alias);
}

/* sysfs directories hold other directories and links; links are not followed. */
static void walk(int parent, const char *name, unsigned depth, struct seen *seen, struct modules *m) {
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (fd < 0 || depth == DEPTH_MAX) {
        if (fd >= 0)
            (void)close(fd);
        return;
    }
    read_alias(fd, seen, m);
    AUTO_CLOSEDIR DIR *dir = fdopendir(fd);
    if (!dir) {
        (void)close(fd);
        return;
    }
    for (const struct dirent *entry; (entry = readdir(dir));)
        if (entry->d_type == DT_DIR && entry->d_name[0] != '.')
            walk(fd, entry->d_name, depth + 1, seen, m);
}

int coldplug_main(void) {
    struct modules m;
    struct seen seen = {0};
    struct cmdline cmdline;
    struct err e = {0};

    log_init("init", LOG_LEVEL_NOTICE);
    int r = modules_open(&m, "", &e);
    if (r < 0) {
        if (r != -ENOENT)
            log_error("%s", e.msg);
        return r == -ENOENT ? 0 : 1;
    }
    (void)cmdline_read(&cmdline, NULL);
    modules_blacklist(&m, cmdline.blacklist);
    modules_blacklist_files(&m, "");
    for (int round = 0; round < ROUNDS_MAX; round++) {
        seen.added = 0;
        walk(AT_FDCWD, "/sys/devices", 0, &seen, &m);
        if (seen.added == 0)
            break;
    }
    if (seen.len == ALIASES_MAX)
        log_warning("more than %d kinds of devices: the rest was not looked at", ALIASES_MAX);
    return 0;
}
