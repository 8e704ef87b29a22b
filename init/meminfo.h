/* SPDX-License-Identifier: Apache-2.0 */
/* Memory, as proc(5) tells. */
#ifndef INIT_MEMINFO_H
#define INIT_MEMINFO_H

#include <stdint.h>

/* In KiB; 0: the kernel does not say. */
struct meminfo {
    uint64_t total_kib, available_kib;
};

/* 0, or -1 with errno; then all is 0. */
int meminfo_read(struct meminfo *m);

/* The number behind "KEY" and white space; 0: it is not there. */
uint64_t meminfo_number(const char *text, const char *key);

#endif
