/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From bytes to lines: a slot for each source with its name and the line that has begun, and one staging buffer that a
 * read goes to. All of it is in an area that may outlive the process. A slot's state is changed in one store, and a
 * line in the ring says how far its source had been read with it: after a kill anywhere, intake_recover() goes on with
 * the next byte. What it cannot know is the NUL bytes at the end of a read that the process did not live to count.
 *
 * A line ends with \n or \r\n, or with its source. What is longer than max_line_len is cut off, and counted.
 */
#ifndef MEMLOGD_INTAKE_H
#define MEMLOGD_INTAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "memlogd/ring.h"

#define INTAKE_SLOTS 1024
#define INTAKE_STAGING 65536

struct intake_shared;

struct intake {
    struct intake_shared *shared;
    char *partial; /* INTAKE_SLOTS buffers of max_line_len + 1 bytes */
    uint32_t max_line_len;
    struct ring *ring;
    bool cuts; /* some slot has cuts to take */
};

/* Bytes of the area that intake_init() needs. */
size_t intake_size(uint32_t max_line_len);
/* The area is zeroed, or has been used before with the same max_line_len. */
void intake_init(struct intake *in, void *area, uint32_t max_line_len, struct ring *ring);
/* Makes lines of what was read but not yet looked at when the process before ended. */
void intake_recover(struct intake *in, int64_t now_ns);

/* A free slot with that name (cut at RING_SOURCE_MAX, control characters replaced), not yet taken; -ENOSPC. */
int intake_prepare(struct intake *in, const char *name, size_t len);
void intake_take(struct intake *in, unsigned slot);
bool intake_taken(const struct intake *in, unsigned slot);
const char *intake_name(const struct intake *in, unsigned slot);

/* Reads once from fd, and adds the lines that are complete. As read(2): 0 is the end; -EAGAIN. */
ssize_t intake_read(struct intake *in, unsigned slot, int fd, int64_t now_ns);
/* The same for bytes at hand; at most INTAKE_STAGING. */
void intake_feed(struct intake *in, unsigned slot, const char *data, size_t len, int64_t now_ns);
/* The source has ended: its last line needs no end; the slot is free again. Take the cuts first. */
void intake_end(struct intake *in, unsigned slot);
void intake_flush(struct intake *in, unsigned slot, int64_t now_ns);

/* Lines that were cut and bytes that were cut off since the last call. */
void intake_take_cuts(struct intake *in, unsigned slot, uint64_t *lines, uint64_t *bytes);

#endif
