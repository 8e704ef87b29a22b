/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOOLS_SERVE_RANGE_H
#define TOOLS_SERVE_RANGE_H

#include <stdint.h>

enum range_kind {
    RANGE_ALL,  /* none, several, or one that is not understood: the whole file is the answer */
    RANGE_PART, /* first and len say which */
    RANGE_NONE, /* nothing of it is in the file */
};

/* A Range header (NULL: none) for a file of `size` bytes (RFC 9110, 14.1.2). */
enum range_kind range_parse(const char *header, uint64_t size, uint64_t *first, uint64_t *len);

#endif
