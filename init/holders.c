/* SPDX-License-Identifier: Apache-2.0 */
#include "init/holders.h"

#include <fcntl.h>
#include <string.h>

#include "lib/fdutil.h"
#include "lib/log.h"

#define PF_KTHREAD 0x00200000UL /* include/linux/sched.h */
#define STAT_FLAGS_FIELD 9      /* proc(5): the state is field 3, flags is field 9 */

bool holder_parse(const char *stat, struct holder *out) {
    char *end;
    const char *open = strchr(stat, '(');
    const char *close = strrchr(stat, ')');

    *out = (struct holder){0};
    out->pid = (int)strtol(stat, &end, 10);
    if (end == stat || out->pid <= 0 || !open || !close || close < open || close[1] != ' ' || !close[2])
        return false;
    size_t len = (size_t)(close - open - 1);
    if (len >= sizeof(out->name))
        len = sizeof(out->name) - 1;
    memcpy(out->name, open + 1, len);
    const char *p = close + 2;
    out->state = *p;
    for (int field = 3; field < STAT_FLAGS_FIELD; field++) {
        p = strchr(p, ' ');
        if (!p)
            return false;
        p++;
    }
    out->flags = strtoul(p, &end, 10);
    return end != p;
}

bool holder_is_kernel_thread(const struct holder *h) {
    return h->flags & PF_KTHREAD;
}

/* A file of /proc/PID, cut at the first newline; "" if there is none. */
static const char *read_line(int pid, const char *name, char *out, size_t len) {
    char path[64];

    (void)snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
    AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read_full(fd, out, len - 1);
    out[n < 0 ? 0 : n] = '\0';
    out[strcspn(out, "\n")] = '\0';
    return out;
}

/* wchan names the function alone; where the kernel keeps it to itself, the innermost frame of the stack does. */
static const char *wait_channel(int pid, char *out, size_t len) {
    (void)read_line(pid, "wchan", out, len);
    if (*out && strcmp(out, "0") != 0)
        return out;
    char *name = strchr(read_line(pid, "stack", out, len), ' '); /* "[<0>] function+0x1b/0x60" */
    if (!name)
        return "";
    name[1 + strcspn(name + 1, "+")] = '\0';
    return name + 1;
}

const char *holder_waits(const struct holder *h, char *buf, size_t len) {
    char channel[128];

    const char *in = wait_channel(h->pid, channel, sizeof(channel));
    (void)snprintf(buf, len, "state %c%s%s", h->state, *in ? ", waits in " : "", in);
    return buf;
}

void holders_each(holder_fn *fn, void *data) {
    char stat[1024];
    struct holder h;

    AUTO_CLOSEDIR DIR *proc = opendir("/proc");
    if (!proc)
        return;
    for (const struct dirent *entry; (entry = readdir(proc));) {
        uint64_t pid;
        if (parse_u64(entry->d_name, INT32_MAX, &pid) < 0 || pid == 1)
            continue;
        if (holder_parse(read_line((int)pid, "stat", stat, sizeof(stat)), &h) && !holder_is_kernel_thread(&h) &&
            h.state != 'Z')
            fn(&h, data);
    }
}

static void report(const struct holder *h, void *data) {
    char cgroup[256], waits[160];
    unsigned *count = data;

    if ((*count)++ >= HOLDERS_MAX)
        return;
    const char *group = strrchr(read_line(h->pid, "cgroup", cgroup, sizeof(cgroup)), ':');
    log_error("still there: pid %d (%s) in %s, %s", h->pid, h->name, group ? group + 1 : "?",
              holder_waits(h, waits, sizeof(waits)));
}

void holders_report(void) {
    unsigned count = 0;

    holders_each(report, &count);
    if (count > HOLDERS_MAX)
        log_error("still there: %u more processes", count - HOLDERS_MAX);
}
