/* SPDX-License-Identifier: Apache-2.0 */
#include "init/pins.h"

#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "init/holders.h"
#include "init/loops.h"
#include "init/unmount.h"
#include "lib/fdutil.h"
#include "lib/log.h"

#define TEXT_MAX ((size_t)1 << 20)
#define NAMESPACES_MAX 64

struct search {
    const char *where;
    dev_t dev;
    unsigned found;
    ino_t ours, seen[NAMESPACES_MAX]; /* mount namespaces */
    size_t seen_len;
};

static PRINTF_LIKE(2, 3) void pinned(struct search *s, const char *fmt, ...) {
    char who[384];
    va_list ap;

    if (s->found++ >= PINS_MAX)
        return;
    va_start(ap, fmt);
    (void)vsnprintf(who, sizeof(who), fmt, ap);
    va_end(ap);
    log_error("%s is kept by %s", s->where, who);
}

/* --- processes --- */

static bool is_on(const char *path, dev_t dev) {
    struct stat st;

    return stat(path, &st) == 0 && st.st_dev == dev;
}

/* "fd 3", of the first descriptor that is on dev, and how many more there are. */
static unsigned count_fds(int pid, dev_t dev, int *first) {
    char path[64];
    unsigned n = 0;

    (void)snprintf(path, sizeof(path), "/proc/%d/fd", pid);
    AUTO_CLOSEDIR DIR *dir = opendir(path);
    if (!dir)
        return 0;
    for (const struct dirent *entry; (entry = readdir(dir));) {
        struct stat st;
        uint64_t fd;
        if (parse_u64(entry->d_name, INT32_MAX, &fd) == 0 && fstatat(dirfd(dir), entry->d_name, &st, 0) == 0 &&
            st.st_dev == dev && n++ == 0)
            *first = (int)fd;
    }
    return n;
}

/* A line of maps: "START-END PERMS OFFSET MAJOR:MINOR INODE PATH", the numbers of the device in hex. */
static bool has_map(int pid, dev_t dev) {
    char path[64], text[32];
    AUTO_BUF struct buf maps = {.max = TEXT_MAX};

    (void)snprintf(path, sizeof(path), "/proc/%d/maps", pid);
    (void)snprintf(text, sizeof(text), " %02x:%02x ", major(dev), minor(dev));
    return read_file(path, TEXT_MAX - 1, &maps, NULL) == 0 && maps.data && strstr(maps.data, text);
}

static void add_word(char *out, size_t len, const char *word) {
    size_t used = strlen(out);

    (void)snprintf(out + used, len - used, "%s%s", used ? ", " : "", word);
}

static void look_at_process(const struct holder *h, void *data) {
    static const char *const links[] = {"cwd", "root", "exe"};
    struct search *s = data;
    char uses[128] = "", path[64], word[48], waits[160];
    int first = -1;

    for (size_t i = 0; i < ARRAY_SIZE(links); i++) {
        (void)snprintf(path, sizeof(path), "/proc/%d/%s", h->pid, links[i]);
        if (is_on(path, s->dev))
            add_word(uses, sizeof(uses), links[i]);
    }
    unsigned fds = count_fds(h->pid, s->dev, &first);
    if (fds > 0) {
        (void)snprintf(word, sizeof(word), fds > 1 ? "fd %d and %u more" : "fd %d", first, fds - 1);
        add_word(uses, sizeof(uses), word);
    }
    if (has_map(h->pid, s->dev))
        add_word(uses, sizeof(uses), "maps");
    if (*uses)
        pinned(s, "pid %d (%s): %s; %s", h->pid, h->name, uses, holder_waits(h, waits, sizeof(waits)));
}

/* --- other mount namespaces --- */

static bool is_new_namespace(struct search *s, int pid) {
    char path[64];
    struct stat st;

    (void)snprintf(path, sizeof(path), "/proc/%d/ns/mnt", pid);
    if (stat(path, &st) < 0 || st.st_ino == s->ours || s->seen_len == NAMESPACES_MAX)
        return false;
    for (size_t i = 0; i < s->seen_len; i++)
        if (s->seen[i] == st.st_ino)
            return false;
    s->seen[s->seen_len++] = st.st_ino;
    return true;
}

/* A line of mountinfo: "ID PARENT MAJOR:MINOR ROOT WHERE ...". */
static void look_at_namespace(const struct holder *h, void *data) {
    struct search *s = data;
    char path[64], text[32];
    AUTO_BUF struct buf mounts = {.max = TEXT_MAX};

    if (!is_new_namespace(s, h->pid))
        return;
    (void)snprintf(path, sizeof(path), "/proc/%d/mountinfo", h->pid);
    (void)snprintf(text, sizeof(text), " %u:%u ", major(s->dev), minor(s->dev));
    if (read_file(path, TEXT_MAX - 1, &mounts, NULL) == 0 && mounts.data && strstr(mounts.data, text))
        pinned(s, "the mount namespace of pid %d (%s)", h->pid, h->name);
}

static void search_namespaces(struct search *s) {
    struct stat st;

    s->ours = stat("/proc/self/ns/mnt", &st) == 0 ? st.st_ino : 0;
    holders_each(look_at_namespace, s);
}

/* --- the kernel itself --- */

static void search_mounts(struct search *s) {
    AUTO_BUF struct buf text = {.max = TEXT_MAX};
    char *where, *type;

    if (read_file("/proc/self/mounts", TEXT_MAX - 1, &text, NULL) < 0 || !text.data)
        return;
    for (char *line, *pos = text.data; (line = next_line(&pos));)
        if (mount_parse(line, &where, &type) && strcmp(where, s->where) != 0 && path_is_at_or_below(where, s->where))
            pinned(s, "%s, a mount of type %s", where, type);
}

static void pinned_by_loop(const char *name, const char *file, void *data) {
    pinned(data, "/dev/%s, a loop device on %s", name, file);
}

/* /proc/swaps: a heading, then "PATH TYPE ..." */
static void search_swaps(struct search *s) {
    AUTO_BUF struct buf text = {.max = TEXT_MAX};

    if (read_file("/proc/swaps", TEXT_MAX - 1, &text, NULL) < 0 || !text.data)
        return;
    for (char *line, *pos = text.data; (line = next_line(&pos));) {
        line[strcspn(line, " \t")] = '\0';
        if (path_is_at_or_below(line, s->where))
            pinned(s, "%s, which is swapped to", line);
    }
}

static unsigned end_search(const struct search *s) {
    if (s->found > PINS_MAX)
        log_error("%s is kept by %u more", s->where, s->found - PINS_MAX);
    return s->found;
}

unsigned pins_report(const char *where, dev_t dev) {
    struct search s = {.where = where, .dev = dev};

    search_mounts(&s);
    holders_each(look_at_process, &s);
    loop_devices_below(where, pinned_by_loop, &s);
    search_swaps(&s);
    search_namespaces(&s);
    return end_search(&s);
}

unsigned pins_report_namespaces(const char *where, dev_t dev) {
    struct search s = {.where = where, .dev = dev};

    search_namespaces(&s);
    return end_search(&s);
}
