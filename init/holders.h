/* SPDX-License-Identifier: Apache-2.0 */
/* Who is still there: named on the console when a shutdown has to wait for somebody. */
#ifndef INIT_HOLDERS_H
#define INIT_HOLDERS_H

#include <stdbool.h>
#include <stddef.h>

#define HOLDERS_MAX 10 /* processes named; the others are counted */

/* One line a process: pid, name, cgroup (which names the container), state and what it waits in. */
void holders_report(void);

struct holder {
    int pid;
    char name[32];
    char state;
    unsigned long flags;
};

/* Calls fn for each process but PID 1, kernel threads, and zombies. */
typedef void holder_fn(const struct holder *h, void *data);
void holders_each(holder_fn *fn, void *data);

/* "state D, waits in percpu_rwsem_wait"; buf is returned. */
const char *holder_waits(const struct holder *h, char *buf, size_t len);

/* Reads the text of /proc/PID/stat; false: it is not understood. The name may hold anything, ")" too. */
bool holder_parse(const char *stat, struct holder *out);
bool holder_is_kernel_thread(const struct holder *h);

#endif
