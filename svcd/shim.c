/* SPDX-License-Identifier: Apache-2.0 */
#include "svcd/shim.h"

#include <signal.h>
#include <string.h>
#include <sys/syscall.h>

#include "lib/fdutil.h"

#define COMMAND_MAX ((size_t)4096) /* of a shim: names, and the path of a socket */

static int read_of(const char *pid, const char *file, struct buf *text) {
    char path[64];

    (void)snprintf(path, sizeof(path), "/proc/%s/%s", pid, file);
    return read_file(path, COMMAND_MAX, text, NULL);
}

/* `-option value`, as containerd writes them. */
static bool has_option(const struct buf *command, const char *option, const char *value) {
    const char *end = command->data + command->len;
    bool is_next = false;

    for (const char *arg = command->data; arg < end; arg += strlen(arg) + 1) {
        if (is_next && !strcmp(arg, value))
            return true;
        is_next = !strcmp(arg, option);
    }
    return false;
}

static bool is_shim_of(const char *pid, const char *ns, const char *name) {
    AUTO_BUF struct buf comm = BUF_INIT;
    AUTO_BUF struct buf command = BUF_INIT;

    if (read_of(pid, "comm", &comm) < 0 || !comm.data || strcmp(comm.data, SHIM_COMM "\n") != 0)
        return false;
    return read_of(pid, "cmdline", &command) == 0 && command.data && has_option(&command, "-namespace", ns) &&
           has_option(&command, "-id", name);
}

/* Looked at before, so that few are opened, and behind that: whose number it is then is whom the descriptor is of. */
static bool kill_if_shim(const char *entry, const char *ns, const char *name) {
    uint64_t pid;

    if (parse_u64(entry, INT32_MAX, &pid) < 0 || pid <= 1 || !is_shim_of(entry, ns, name))
        return false;
    AUTO_CLOSE int fd = (int)syscall(SYS_pidfd_open, (pid_t)pid, 0U);
    return fd >= 0 && is_shim_of(entry, ns, name) && syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0U) == 0;
}

bool shim_kill(const char *ns, const char *name) {
    AUTO_NAMES struct names entries = {0};
    bool killed = false;

    if (list_dir("/proc", &entries, NULL) < 0)
        return false;
    for (size_t i = 0; i < entries.len; i++)
        killed |= kill_if_shim(entries.v[i], ns, name);
    return killed;
}
