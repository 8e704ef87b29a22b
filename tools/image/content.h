/* SPDX-License-Identifier: Apache-2.0 */
/* Contents of an entry that come from memory or from a descriptor. */
#ifndef TOOLS_IMAGE_CONTENT_H
#define TOOLS_IMAGE_CONTENT_H

#include "tools/image/entry.h"

struct content_source {
    int fd;           /* -1: text */
    const char *text; /* left bytes from here */
    size_t left;
    const char *name; /* for messages */
};

static inline struct content_source content_text(const char *name, const char *text, size_t len) {
    return (struct content_source){.fd = -1, .text = text, .left = len, .name = name};
}

/* fd stays the caller's. */
static inline struct content_source content_fd(const char *name, int fd) {
    return (struct content_source){.fd = fd, .name = name};
}

/* As entry_content's read; ctx is the source. */
ssize_t content_read(void *ctx, void *data, size_t len, struct err *e);

#endif
