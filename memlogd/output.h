/* SPDX-License-Identifier: Apache-2.0 */
/* Whole writes to an output that somebody else may have made non-blocking: for programs that may wait. */
#ifndef MEMLOGD_OUTPUT_H
#define MEMLOGD_OUTPUT_H

#include <stddef.h>
#include <stdio.h>

/* As write_full(), but waits while fd is full. */
int output_write(int fd, const void *data, size_t len);

/* A stream that writes with output_write(); fd stays the caller's. NULL: no memory, or fd is not open (errno). */
FILE *output_open(int fd);

#endif
