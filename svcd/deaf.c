/* SPDX-License-Identifier: Apache-2.0 */
#include "svcd/deaf.h"

#include <inttypes.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>

#include "lib/fdutil.h"

#define STATUS_MAX ((size_t)16384)

/* "NSpid:\t712\t1": as we see it, then in each namespace below. */
static bool is_first_below(const char *pids) {
    const char *last = strrchr(pids, '\t');

    return last && last != pids && !strcmp(last, "\t1");
}

static int read_status(const char *proc, pid_t pid, struct buf *text) {
    char path[64];

    (void)snprintf(path, sizeof(path), "%s/%d/status", proc, pid);
    return read_file(path, STATUS_MAX, text, NULL);
}

bool is_first_of_pids(const char *proc, pid_t pid) {
    AUTO_BUF struct buf text = BUF_INIT;

    if (read_status(proc, pid, &text) < 0)
        return false;
    char *pos = text.data;
    for (const char *line; pos && (line = next_line(&pos));)
        if (!strncmp(line, "NSpid:", 6))
            return is_first_below(line + 6);
    return false;
}

static bool has_signal(const char *mask, int signo) {
    uint64_t bits = 0;

    return sscanf(mask, "%" SCNx64, &bits) == 1 && bits >> (signo - 1) & 1;
}

bool signal_is_dropped(const char *proc, pid_t pid, int signo) {
    AUTO_BUF struct buf text = BUF_INIT;
    bool first = false, heard = false;
    unsigned masks = 0;

    if (signo < 1 || signo > 64 || signo == SIGKILL || signo == SIGSTOP || read_status(proc, pid, &text) < 0)
        return false;
    for (char *line, *pos = text.data; pos && (line = next_line(&pos));) {
        if (!strncmp(line, "NSpid:", 6))
            first = is_first_below(line + 6);
        if (!strncmp(line, "SigBlk:", 7) || !strncmp(line, "SigCgt:", 7)) {
            heard |= has_signal(line + 7, signo);
            masks++;
        }
    }
    return first && masks == 2 && !heard;
}
