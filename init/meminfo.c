/* SPDX-License-Identifier: Apache-2.0 */
#include "init/meminfo.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "lib/fdutil.h"

uint64_t meminfo_number(const char *text, const char *key) {
    const char *found = strstr(text, key);

    return found ? strtoull(found + strlen(key), NULL, 10) : 0;
}

int meminfo_read(struct meminfo *m) {
    char text[2048]; /* what is asked for stands at its head */

    *m = (struct meminfo){0};
    AUTO_CLOSE int fd = open("/proc/meminfo", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read_full(fd, text, sizeof(text) - 1);
    if (n < 0)
        return -1;
    text[n] = '\0';
    m->total_kib = meminfo_number(text, "MemTotal:");
    m->available_kib = meminfo_number(text, "MemAvailable:");
    return 0;
}
