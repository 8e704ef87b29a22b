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

#include "memlogd/receive.h"
#include "memlogd/ring.h"
#include "memlogd/syslog.h"

#define INTAKE_SLOTS 1024
#define INTAKE_SYSLOG INTAKE_SLOTS /* one more: all that comes as syslog datagrams */
#define INTAKE_STAGING ((size_t)512 << 10)
#define INTAKE_CUTS_MAX (INTAKE_SLOTS + 1 + SYSLOG_SOURCES) /* who may have cuts: slots, and programs */

struct intake_shared;

struct intake {
    struct intake_shared *shared;
    char *partial; /* INTAKE_SLOTS buffers of max_line_len + 1 bytes */
    uint32_t max_line_len;
    struct ring *ring;
    bool cuts;    /* somebody has cuts to take */
    bool touched; /* there is memory for intake_trim() */
};

/* Bytes of the area that intake_init() needs. */
size_t intake_size(uint32_t max_line_len);
/* The area is zeroed, or has been used before with the same max_line_len. */
void intake_init(struct intake *in, void *area, uint32_t max_line_len, struct ring *ring);
/* Makes lines of what was read but not yet looked at when the process before ended. */
void intake_recover(struct intake *in, int64_t now_ns);

/* A free slot, not yet taken, with the name that name_make() makes of that one; -ENOSPC. */
int intake_prepare(struct intake *in, const char *name, size_t len);
void intake_take(struct intake *in, unsigned slot);
bool intake_taken(const struct intake *in, unsigned slot);
const char *intake_name(const struct intake *in, unsigned slot);

/*
 * Reads once from fd, and adds the lines that are complete. As receive(): 0 is the end, or an empty datagram; -EAGAIN.
 * What a datagram has beyond INTAKE_STAGING counts as cut off its last line.
 */
ssize_t intake_read(struct intake *in, unsigned slot, enum receive_kind kind, int fd, int64_t now_ns);
/*
 * Receives one syslog datagram from fd, if there is one: each of its lines is a line of the program it names. Its
 * length (0 is none with nothing in it), or -EAGAIN.
 */
ssize_t intake_receive(struct intake *in, int fd, int64_t now_ns);
/* The same for bytes at hand; at most INTAKE_STAGING. */
void intake_feed(struct intake *in, unsigned slot, const char *data, size_t len, int64_t now_ns);
/* The source has ended: its last line needs no end; the slot is free again. Take the cuts first. */
void intake_end(struct intake *in, unsigned slot);
void intake_flush(struct intake *in, unsigned slot, int64_t now_ns);

/* Lines that were cut and bytes that were cut off since the last call; who: a slot or a program, to INTAKE_CUTS_MAX. */
struct intake_cuts {
    const char *name;
    size_t name_len;
    uint64_t lines, bytes;
};
/* False: none. */
bool intake_take_cuts(struct intake *in, unsigned who, struct intake_cuts *cuts);

/* Gives memory back that no line is in any more. Only for an area that is a mapping of a memfd. */
void intake_trim(struct intake *in);
/* Takes over sources and their lines that have begun; `to` is new, `from` has been recovered. */
void intake_copy(struct intake *to, const struct intake *from);

#endif
