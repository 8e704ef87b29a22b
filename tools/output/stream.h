/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file being written: buffered, compressed on the way if asked for, under a temporary name until it is committed.
 * No time stamps: the same bytes in give the same bytes out.
 */
#ifndef TOOLS_OUTPUT_STREAM_H
#define TOOLS_OUTPUT_STREAM_H

#include "tools/output/output.h"

struct stream;

/* The file is open, but `path` is untouched. "-", a device, a FIFO: written into, without a commit. */
int stream_open(const char *path, struct stream **out, struct err *e);
/* Into a file that the caller has open, and closes. There is no commit. */
int stream_open_fd(int fd, struct stream **out, struct err *e);
/* From here on compressed, until stream_end(); what was written so far stays as it is, padded to four bytes. */
int stream_compress(struct stream *s, enum compression compression, struct err *e);
int stream_write(struct stream *s, const void *data, size_t len, struct err *e);
/* Zeros, by what was written before compression, since stream_compress(). */
int stream_pad(struct stream *s, size_t alignment, struct err *e);
/* All of a content; -EBADMSG if it is not `size` bytes. */
int stream_copy(struct stream *s, const struct entry_content *content, uint64_t size, const char *what, struct err *e);
/* A part of another file as it is, after stream_end(); its descriptor's position is changed. */
int stream_append(struct stream *s, int fd, uint64_t offset, uint64_t size, struct err *e);
/* Ends the compressed stream and pads the file to four bytes, if it is compressed; flushes. More may be written. */
int stream_end(struct stream *s, struct err *e);
/* Gives the file its name. */
int stream_commit(struct stream *s, struct err *e);
void stream_free(struct stream *s); /* removes the temporary file if it was not committed */
DEFINE_AUTO(struct stream *, stream_free)
#define AUTO_STREAM AUTO(stream_free_auto)

#endif
