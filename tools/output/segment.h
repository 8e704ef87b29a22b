/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A part of an appliance that was made apart, in one file: a whole cpio archive, compressed and padded to four bytes,
 * so that an initrd is a row of them; the kernel and the microcode, if they stood among its entries; and a note of
 * whoever made it. The file ends in a table of these and a SHA-256 of all.
 */
#ifndef TOOLS_OUTPUT_SEGMENT_H
#define TOOLS_OUTPUT_SEGMENT_H

#include <stdint.h>

#include "lib/buf.h"
#include "tools/output/stream.h"

enum segment_file { SEGMENT_INITRD, SEGMENT_KERNEL, SEGMENT_UCODE, SEGMENT_LIST, SEGMENT_NOTE, SEGMENT_FILES };

struct segment {
    int fd; /* -1: none */
    uint64_t size[SEGMENT_FILES];
};

/* True if a file's contents are to be in the list, too. */
typedef bool segment_keep_fn(const void *data, const struct entry *entry);
#define SEGMENT_KEEP_MAX ((size_t)64 << 20)

/* Entries given to it are written into fd, an empty file that stays the caller's. output_finish() completes it. */
int segment_output_new(int fd, enum compression compression, segment_keep_fn *keep, const void *data,
                       struct output **out, struct err *e);
/* Before output_finish(): the note; copied. */
int segment_output_note(struct output *o, const void *data, size_t len, struct err *e);

/* Reads all of a file that segment_output_new() wrote; -EBADMSG: it is damaged. s->fd is fd, which stays the caller's.
 */
int segment_open(int fd, struct segment *s, struct err *e);
/* Appends one of its files to a stream, as it is. */
int segment_append(const struct segment *s, enum segment_file which, struct stream *to, struct err *e);
/* Its entries, with the SHA-1 of contents instead of contents, unless kept. */
int segment_each(const struct segment *s, entry_fn *fn, void *data, struct err *e);
/* Adds them to an output, as those of the origin. */
int segment_list(const struct segment *s, struct output *o, const struct origin *origin, struct err *e);
/* The note, appended to b. */
int segment_read_note(const struct segment *s, struct buf *b, struct err *e);

#endif
