/* SPDX-License-Identifier: Apache-2.0 */
/* What every target has. libFuzzer calls it with what it makes up, replay.c with the files of the target's corpus. */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "lib/fdutil.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A promise that was not kept is a crash, with every way of building this. */
#define FUZZ_CHECK(condition)                                                                                          \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            (void)fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);                              \
            abort();                                                                                                   \
        }                                                                                                              \
    } while (0)

/* For what reads files: the input as one, which is there while the descriptor is open. */
static inline int fuzz_file(const uint8_t *data, size_t size, char *path, size_t path_size) {
    int fd = memfd_create("fuzz", MFD_CLOEXEC);

    FUZZ_CHECK(fd >= 0 && write_full(fd, data, size) == 0);
    (void)snprintf(path, path_size, "/proc/self/fd/%d", fd);
    return fd;
}

#endif
