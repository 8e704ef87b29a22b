/* SPDX-License-Identifier: Apache-2.0 */
/* The service of bench-peers: says when it runs, then does nothing. */
#include <fcntl.h>
#include <stdint.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

int main(void) {
    struct timespec now;

    (void)mkdir("/run/bench", 0755);
    (void)mkfifo("/run/bench/up", 0600);
    int up = open("/run/bench/up", O_WRONLY | O_CLOEXEC); /* waits for the meter */
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    uint64_t ns = (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
    if (up < 0 || write(up, &ns, sizeof(ns)) != sizeof(ns))
        return 1;
    (void)close(up);
    for (;;)
        (void)pause();
}
