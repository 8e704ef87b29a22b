/* SPDX-License-Identifier: Apache-2.0 */
#include "svcd/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/fdutil.h"

#define TEXT_MAX ((size_t)65536)
#define V1_NO_LIMIT (UINT64_C(1) << 62) /* version 1 says a number near 2^63 for "no limit" */

char *cgroup_of(const char *proc, pid_t pid) {
    AUTO_BUF struct buf text = BUF_INIT;
    char path[64];
    char *pos, *found = NULL;

    (void)snprintf(path, sizeof(path), "%s/%d/cgroup", proc, pid);
    if (read_file(path, TEXT_MAX, &text, NULL) < 0 || !text.data)
        return NULL;
    pos = text.data;
    for (char *line; (line = next_line(&pos));) { /* "0::/path", or "4:memory:/path" */
        char *controllers = strchr(line, ':');
        char *group = controllers ? strchr(controllers + 1, ':') : NULL;
        if (!group)
            continue;
        *group++ = '\0';
        if (!strcmp(controllers + 1, "memory") || (!found && controllers[1] == '\0'))
            found = group;
    }
    return found ? strdup(found) : NULL;
}

bool cgroup_is_v2(const char *root) {
    AUTO_FREE char *path = path_join(root, "cgroup.controllers");

    return path && access(path, F_OK) == 0;
}

int cgroup_enter(const char *root, const char *group, pid_t pid, struct err *e) {
    AUTO_FREE char *dir = path_join(root, group);
    AUTO_FREE char *procs = dir ? path_join(dir, "cgroup.procs") : NULL;
    char text[16];

    if (!procs)
        return err_errno(e, -ENOMEM, "could not enter %s", group);
    if (!cgroup_is_v2(root))
        return err_errno(e, -ENOTSUP, "could not enter %s", dir);
    if (mkdir(dir, 0755) < 0 && errno != EEXIST)
        return err_errno(e, -errno, "could not make %s", dir);
    (void)snprintf(text, sizeof(text), "%d", pid);
    return write_sysfile(procs, text, e);
}

static int read_knob(const char *root, const char *controller, const char *group, const char *knob, struct buf *text) {
    AUTO_FREE char *path = NULL;

    if (asprintf(&path, "%s%s%s%s/%s", root, *controller ? "/" : "", controller, group, knob) < 0) {
        path = NULL;
        return -ENOMEM;
    }
    int r = read_file(path, TEXT_MAX, text, NULL);
    return r < 0 ? r : text->data ? 0 : -ENODATA;
}

static uint64_t number(const char *text) {
    char digits[24];
    uint64_t n;

    if (!strncmp(text, "max", 3))
        return CGROUP_NO_LIMIT;
    size_t len = strspn(text, "0123456789");
    if (len == 0 || len >= sizeof(digits))
        return CGROUP_UNKNOWN;
    memcpy(digits, text, len);
    digits[len] = '\0';
    if (parse_u64(digits, UINT64_MAX - 2, &n) < 0)
        return CGROUP_UNKNOWN;
    return n >= V1_NO_LIMIT ? CGROUP_NO_LIMIT : n;
}

static uint64_t read_number(const char *root, const char *controller, const char *group, const char *knob) {
    AUTO_BUF struct buf text = BUF_INIT;

    return read_knob(root, controller, group, knob, &text) < 0 ? CGROUP_UNKNOWN : number(text.data);
}

/* The number behind a word at the beginning of a line. */
static uint64_t read_field(const char *root, const char *controller, const char *group, const char *knob,
                           const char *field) {
    AUTO_BUF struct buf text = BUF_INIT;
    size_t len = strlen(field);

    if (read_knob(root, controller, group, knob, &text) < 0)
        return CGROUP_UNKNOWN;
    char *pos = text.data;
    for (const char *line; (line = next_line(&pos));)
        if (!strncmp(line, field, len) && line[len] == ' ')
            return number(line + len + 1);
    return CGROUP_UNKNOWN;
}

uint64_t cgroup_pids(const char *root, const char *path) {
    return read_number(root, cgroup_is_v2(root) ? "" : "pids", path, "pids.current");
}

/* --- signals --- */

#define SIGNAL_ROUNDS 5 /* who forks faster than that is left to the kernel's own way, or to the runtime */

static char *dir_of(const char *root, const char *path) {
    char *dir;

    if (asprintf(&dir, "%s%s%s", root, cgroup_is_v2(root) ? "" : "/memory", path) < 0)
        return NULL;
    return dir;
}

/* A signal, and for whom it is. */
struct call {
    int signo;
    pid_t beside;     /* not for this one; 0: for all */
    struct stat pids; /* its pid namespace */
};

static int stat_pids(pid_t pid, struct stat *st) {
    char path[64];

    (void)snprintf(path, sizeof(path), "/proc/%d/ns/pid", pid);
    return stat(path, st) < 0 ? -errno : 0;
}

static bool is_for(const struct call *c, pid_t pid) {
    struct stat st;

    if (!c->beside)
        return true;
    return pid != c->beside && stat_pids(pid, &st) == 0 && st.st_dev == c->pids.st_dev && st.st_ino == c->pids.st_ino;
}

/* How many got it; a number is a process's own only while nobody has reaped it: as with any kill(2). */
static int signal_group(const char *dir, const struct call *c) {
    AUTO_FREE char *procs = path_join(dir, "cgroup.procs");
    AUTO_BUF struct buf text = BUF_INIT;
    uint64_t pid;
    int n = 0;

    int r = procs ? read_file(procs, TEXT_MAX, &text, NULL) : -ENOMEM;
    if (r < 0)
        return r;
    char *pos = text.data;
    for (const char *line; pos && (line = next_line(&pos));)
        if (parse_u64(line, INT32_MAX, &pid) == 0 && pid > 1 && is_for(c, (pid_t)pid) &&
            kill((pid_t)pid, c->signo) == 0)
            n++;
    return n;
}

/* The groups below it too. Their depth is the container's business, and bounded by the kernel's longest path. */
static int signal_tree(const char *dir, const struct call *c) {
    AUTO_NAMES struct names names = {0};
    int n = signal_group(dir, c);
    struct stat st;

    if (n < 0 || list_dir(dir, &names, NULL) < 0)
        return n;
    for (size_t i = 0; i < names.len; i++) {
        AUTO_FREE char *sub = path_join(dir, names.v[i]);
        int more = sub && lstat(sub, &st) == 0 && S_ISDIR(st.st_mode) ? signal_tree(sub, c) : 0;
        n += more > 0 ? more : 0;
    }
    return n;
}

static bool is_root(const char *path) {
    return path[strspn(path, "/")] == '\0' || strstr(path, "..") != NULL;
}

int cgroup_signal_beside(const char *root, const char *path, pid_t first, int signo) {
    AUTO_FREE char *dir = is_root(path) ? NULL : dir_of(root, path);
    struct call c = {.signo = signo, .beside = first};

    if (!dir)
        return -EINVAL;
    int r = stat_pids(first, &c.pids);
    return r < 0 ? r : signal_tree(dir, &c);
}

int cgroup_kill(const char *root, const char *path) {
    AUTO_FREE char *dir = is_root(path) ? NULL : dir_of(root, path);
    AUTO_FREE char *knob = dir ? path_join(dir, "cgroup.kill") : NULL;
    const struct call c = {.signo = SIGKILL};
    int n = 1;

    if (!knob)
        return -EINVAL;
    if (access(knob, F_OK) == 0)
        return write_sysfile(knob, "1", NULL);
    for (int i = 0; i < SIGNAL_ROUNDS && n > 0; i++)
        n = signal_tree(dir, &c);
    return n < 0 ? n : -ENOTSUP;
}

uint64_t cgroup_oom_kills(const char *root, const char *path) {
    uint64_t n = cgroup_is_v2(root) ? read_field(root, "", path, "memory.events", "oom_kill")
                                    : read_field(root, "memory", path, "memory.oom_control", "oom_kill");

    return n == CGROUP_UNKNOWN || n == CGROUP_NO_LIMIT ? 0 : n;
}

static void read_v1(const char *root, const char *path, struct cgroup_usage *out) {
    uint64_t ns = read_number(root, "cpuacct", path, "cpuacct.usage");

    out->memory = read_number(root, "memory", path, "memory.usage_in_bytes");
    out->memory_peak = read_number(root, "memory", path, "memory.max_usage_in_bytes");
    out->memory_max = read_number(root, "memory", path, "memory.limit_in_bytes");
    out->cpu_us = ns >= CGROUP_NO_LIMIT ? CGROUP_UNKNOWN : ns / 1000;
    out->pids_max = read_number(root, "pids", path, "pids.max");
}

static void read_v2(const char *root, const char *path, struct cgroup_usage *out) {
    out->memory = read_number(root, "", path, "memory.current");
    out->memory_peak = read_number(root, "", path, "memory.peak");
    out->memory_max = read_number(root, "", path, "memory.max");
    out->cpu_us = read_field(root, "", path, "cpu.stat", "usage_usec");
    out->pids_max = read_number(root, "", path, "pids.max");
}

void cgroup_read(const char *root, const char *path, struct cgroup_usage *out) {
    if (cgroup_is_v2(root))
        read_v2(root, path, out);
    else
        read_v1(root, path, out);
    out->pids = cgroup_pids(root, path);
    out->oom_kills = cgroup_oom_kills(root, path);
}
