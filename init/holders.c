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

static void report(const struct holder *h) {
    char cgroup[256], wchan[64];

    const char *group = strrchr(read_line(h->pid, "cgroup", cgroup, sizeof(cgroup)), ':');
    const char *in = read_line(h->pid, "wchan", wchan, sizeof(wchan));
    log_error("still there: pid %d (%s) in %s, state %c%s%s", h->pid, h->name, group ? group + 1 : "?", h->state,
              *in && *in != '0' ? ", waits in " : "", *in != '0' ? in : "");
}

void holders_report(void) {
    char stat[1024];
    struct holder h;
    unsigned count = 0;

    AUTO_CLOSEDIR DIR *proc = opendir("/proc");
    if (!proc)
        return;
    for (const struct dirent *entry; (entry = readdir(proc));) {
        uint64_t pid;
        if (parse_u64(entry->d_name, INT32_MAX, &pid) < 0 || pid == 1)
            continue;
        (void)read_line((int)pid, "stat", stat, sizeof(stat));
        if (!holder_parse(stat, &h) || holder_is_kernel_thread(&h) || h.state == 'Z')
            continue;
        if (count++ < HOLDERS_MAX)
            report(&h);
    }
    if (count > HOLDERS_MAX)
        log_error("still there: %u more processes", count - HOLDERS_MAX);
}
